//! Reads the assignments of a shell script. Nothing of it is ever run.
//!
//! A reader and no shell: it knows just enough of Bash's grammar (quotes, expansions,
//! comments, here-documents, functions, compound commands) to tell which assignments
//! there are, on which line, and whether they stand in a function or under a condition.
//! What only running could tell, such as the output of a command, is kept as [`Unread`].
//!
//! * this module: the vocabulary, and the text with a place in it;
//! * `commands`: commands one after the other, and what is open around them;
//! * `simple`: the words of a simple command; `compound`: `case`, `[[`, loops and their like;
//! * `words`: quotes and expansions.

mod commands;
mod compound;
mod simple;
mod words;

use std::collections::BTreeSet;

/// How deeply quotes and substitutions may be nested, so that no file exhausts the stack.
const DEEPEST: usize = 50;

/// Files whose variables are never those of Kaapana.
const HARMLESS: &[&str] = &["/etc/os-release", "/usr/lib/os-release", "/etc/lsb-release"];

/// The parts of a word, one after the other.
pub type Word = Vec<Part>;

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text, its quotes removed.
    Text(String),
    /// `$X`, `${X}`, `${X:-y}` and their like.
    Variable {
        /// Its name.
        name: String,
        /// What stands in the braces besides.
        otherwise: Otherwise,
    },
    /// What only running it could tell.
    Unread(Unread),
}

/// What a reference to a variable yields when it is unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Otherwise {
    /// Nothing is said: `$X`, `${X}`, `${X:?message}`.
    Nothing,
    /// `${X:-y}`, `${X-y}`; with `=` in place of `-` it is also assigned.
    Default {
        /// With a colon: also when it is empty.
        empty_too: bool,
        /// With `=`.
        assigns: bool,
        /// The default.
        word: Word,
    },
    /// `${X:+y}`, `${X+y}`: the word, when it is set.
    WhenSet {
        /// With a colon: not when it is empty.
        not_empty: bool,
        /// What it becomes.
        word: Word,
    },
}

/// What is not known without running something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// `$(..)` and backticks.
    Command,
    /// `$((..))`.
    Arithmetic,
    /// `(a b c)`.
    Array,
    /// A leading `~`.
    Home,
    /// `$1`, `$@`, `$?` and their like.
    Argument,
    /// `${X%y}`, `${#X}` and their like, with the name of the variable.
    Edited(String),
    /// What `read` asks for.
    Asked,
}

/// What an assignment stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Under {
    /// Nothing: it is made whenever its function, or the file, is run.
    Nothing,
    /// `if`, `&&` or `||`.
    Condition,
    /// A loop, a `case`, a subshell, a pipe or the background.
    Other,
    /// The loop over the options the script was called with.
    Options,
}

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Line, counted from 1.
    pub line: usize,
    /// What is assigned.
    pub word: Word,
    /// `+=`.
    pub appends: bool,
    /// Seen by its function only.
    pub local: bool,
    /// The function it stands in, as a number in [`Script::functions`].
    pub function: Option<usize>,
    /// What it stands under there.
    pub under: Under,
    /// `unset`: it is set no more.
    pub unsets: bool,
}

impl Assignment {
    fn new(name: &str, line: usize, word: Word) -> Self {
        let name = name.to_owned();
        Self { name, line, word, appends: false, local: false, function: None, under: Under::Nothing, unsets: false }
    }
}

/// The first word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The word, as it is written.
    pub word: String,
    /// Its line.
    pub line: usize,
    /// The function it stands in.
    pub function: Option<usize>,
    /// What it stands under there.
    pub under: Under,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name; empty when it is no plain word.
    pub name: String,
    /// Line it begins on.
    pub line: usize,
    /// Line it ends on; `None`: the file ends before.
    pub end: Option<usize>,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// In the order of the file.
    pub assignments: Vec<Assignment>,
    /// In the order of the file.
    pub functions: Vec<Function>,
    /// Variables that are set for one command only (`A=1 command`), with their lines.
    pub for_one_command: Vec<(String, usize)>,
    /// Values that an operator ends (`A=b&c`), with their lines.
    pub cut: Vec<(String, usize)>,
    /// Names with a blank before their `=` in `export A = b`, with their lines.
    pub spaced: Vec<(String, usize)>,
    /// What may assign and is not seen: other files (`source`, `.`) and `eval`. Line and sentence.
    pub unseen: Vec<(usize, String)>,
    /// The commands, in the order of the file.
    pub calls: Vec<Call>,
    /// Variables that a function keeps to itself.
    pub locals: BTreeSet<(usize, String)>,
    /// It runs something that is not the rest of a value without quotes: it is more than a
    /// list of assignments.
    pub runs_commands: bool,
    /// Why it was not read to its end.
    pub error: Option<ReadError>,
}

/// Why a script cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Something is opened and never closed.
    #[error("line {line}: {what} is opened here and never closed")]
    Unterminated {
        /// What.
        what: &'static str,
        /// The line it is opened on.
        line: usize,
    },
    /// Deeper than anything a person writes.
    #[error("line {line}: quotes and substitutions are nested too deeply")]
    TooDeep {
        /// The line.
        line: usize,
    },
}

impl ReadError {
    /// The line it is about.
    #[must_use]
    pub fn line(&self) -> usize {
        match self {
            Self::Unterminated { line, .. } | Self::TooDeep { line } => *line,
        }
    }
}

/// Reads a script as far as it can be read.
#[must_use]
pub fn read(text: &str) -> Script {
    let mut reader = Reader { text, at: 0, line: 1, depth: 0, rest_of_value: false, script: Script::default() };
    let read = reader.commands(false);
    reader.script.error = read.err();
    reader.script
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    depth: usize,
    /// What comes on this line belongs to a value without quotes, if the file is no script.
    rest_of_value: bool,
    script: Script,
}

type Done = Result<(), ReadError>;

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts(&self, with: &str) -> bool {
        self.rest().starts_with(with)
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    /// Skips what holds no line end.
    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    fn deeper(&mut self) -> Done {
        self.depth += 1;
        if self.depth > DEEPEST { Err(ReadError::TooDeep { line: self.line }) } else { Ok(()) }
    }

    fn blanks(&mut self) {
        loop {
            if self.starts("\\\n") {
                self.bump();
                self.bump();
            } else if matches!(self.peek(), Some(' ' | '\t' | '\r')) {
                self.bump();
            } else {
                return;
            }
        }
    }

    fn blanks_and_lines(&mut self) {
        loop {
            self.blanks();
            match self.peek() {
                Some('\n') => {
                    self.bump();
                }
                Some('#') => self.comment(),
                _ => return,
            }
        }
    }

    fn comment(&mut self) {
        let length = self.rest().find('\n').unwrap_or(self.rest().len());
        self.skip(length);
    }
}

/// The name of a variable at the beginning of the text; empty when there is none.
pub fn name(text: &str) -> &str {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return "";
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests;
