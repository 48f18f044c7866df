//! Reads the assignments of a shell script. Nothing of it is ever run.
//!
//! A reader and no shell: it knows just enough of Bash's grammar (quotes, expansions,
//! comments, here-documents, functions, compound commands) to tell which assignments
//! there are, on which line, and whether they stand in a function or under a condition.
//! What only running could tell, such as the output of a command, is kept as [`Unread`].

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

/// What is open around a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Function(usize),
    /// `{`, and what it stands under itself.
    Brace(Under),
    Paren,
    If,
    /// `true`: it goes over the options the script was called with.
    Loop(bool),
    /// `true`: a pattern is expected, no command.
    Case(bool),
}

/// What the first word of a command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    /// `export`, `readonly`: the arguments are assignments.
    Assigns,
    /// `local`, `declare`, `typeset`: so, within a function.
    AssignsHere,
    /// `:` and `true`: `${X:=y}` in the arguments assigns.
    Null,
    /// `read`, `mapfile`: the arguments are variables.
    Reads,
    /// `printf`: what comes after `-v` is one.
    Prints,
    /// `unset`.
    Unsets,
    /// Anything else.
    Runs,
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Line,
    Conditional,
    Pipe,
    Background,
}

/// What is known at one place between commands.
struct Commands {
    /// In a substitution: it runs in a subshell, its assignments are of no interest.
    nested: bool,
    frames: Vec<Frame>,
    /// For each frame, how many assignments came before it.
    starts: Vec<usize>,
    /// So, for the frame that the command closed.
    closed: Option<usize>,
    heredocs: Vec<(String, bool)>,
    /// The next word is the first one of a command.
    first: bool,
    /// Assignments before the first word, and those among the arguments.
    pending: Vec<Assignment>,
    arguments: Vec<Assignment>,
    command: Option<Command>,
    /// The word before, as it is written.
    previous: String,
    /// The only word of the command so far, when it could be a function's name.
    name: Option<(String, usize)>,
    /// The function whose body comes next.
    function: Option<usize>,
    /// How the command before ended.
    before: End,
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

    /// Reads commands to the end of the file, or, in a substitution, to its `)`.
    fn commands(&mut self, nested: bool) -> Done {
        self.deeper()?;
        let opened = self.line;
        let mut state = Commands {
            nested,
            frames: Vec::new(),
            starts: Vec::new(),
            closed: None,
            heredocs: Vec::new(),
            first: true,
            pending: Vec::new(),
            arguments: Vec::new(),
            command: None,
            previous: String::new(),
            name: None,
            function: None,
            before: End::Line,
        };
        loop {
            if state.frames.last() == Some(&Frame::Case(true)) {
                self.case_pattern(&mut state)?;
            }
            self.blanks();
            let Some(c) = self.peek() else {
                self.end(&mut state, End::Line);
                if nested {
                    return Err(ReadError::Unterminated { what: "$(", line: opened });
                }
                break;
            };
            match c {
                '\n' => {
                    self.bump();
                    self.end(&mut state, End::Line);
                    self.heredocs(&mut state);
                    self.rest_of_value = false;
                }
                '#' => self.comment(),
                ';' | '&' | '|' => self.operator(&mut state)?,
                '(' => self.open(&mut state)?,
                ')' => {
                    self.bump();
                    let open = state.frames.contains(&Frame::Paren);
                    self.end(&mut state, End::Line);
                    if nested && !open {
                        break;
                    }
                    self.close(&mut state, |frame| *frame == Frame::Paren);
                    state.first = false;
                }
                '<' | '>' => self.redirection(&mut state)?,
                _ => self.word_of(&mut state)?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn operator(&mut self, state: &mut Commands) -> Done {
        if self.starts("&>") {
            self.bump();
            return self.redirection(state);
        }
        let (length, end, next_case) = [
            (";;&", End::Line, true),
            (";;", End::Line, true),
            (";&", End::Line, true),
            ("&&", End::Conditional, false),
            ("||", End::Conditional, false),
            ("|&", End::Pipe, false),
            ("|", End::Pipe, false),
            ("&", End::Background, false),
        ]
        .into_iter()
        .find(|(text, ..)| self.starts(text))
        .map_or((1, End::Line, false), |(text, end, next)| (text.len(), end, next));
        self.skip(length);
        self.end(state, end);
        if next_case && let Some(Frame::Case(pattern)) = state.frames.last_mut() {
            *pattern = true;
        }
        Ok(())
    }

    /// `(`: a subshell, a function's parentheses, or arithmetic.
    fn open(&mut self, state: &mut Commands) -> Done {
        if !state.first
            && let Some((name, line)) = state.name.take()
            && let Some(length) = empty_parentheses(self.rest())
        {
            self.skip(length);
            // It is defined, not called.
            if !state.nested {
                self.script.calls.pop();
            }
            state.command = None;
            state.first = true;
            self.function(state, &name, line);
            return Ok(());
        }
        if self.starts("((") {
            state.first = false;
            self.runs();
            return self.parentheses();
        }
        self.bump();
        if state.first && !state.pending.is_empty() {
            // `A=b(c`: no shell takes that.
            return Ok(());
        }
        // A body in parentheses runs in a subshell: nothing in it is a setting.
        state.function = None;
        self.push_frame(state, Frame::Paren);
        self.begin(state);
        Ok(())
    }

    fn push_frame(&self, state: &mut Commands, frame: Frame) {
        state.frames.push(frame);
        state.starts.push(self.script.assignments.len());
    }

    /// A command is run.
    fn runs(&mut self) {
        self.script.runs_commands |= !self.rest_of_value;
    }

    fn function(&mut self, state: &mut Commands, name: &str, line: usize) {
        self.runs();
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:+@%".contains(c)) && name.len() <= 64;
        let name = if plain { name.to_owned() } else { String::new() };
        if state.nested {
            return;
        }
        state.function = Some(self.script.functions.len());
        self.script.functions.push(Function { name, line, end: None });
    }

    /// What follows is the first word of a command.
    fn begin(&mut self, state: &mut Commands) {
        self.runs();
        state.first = true;
        state.command = None;
        state.name = None;
        state.before = End::Line;
    }

    fn close(&mut self, state: &mut Commands, is: impl Fn(&Frame) -> bool) {
        let Some(at) = state.frames.iter().rposition(is) else { return };
        state.closed = state.starts.get(at).copied();
        state.starts.truncate(at);
        for frame in state.frames.split_off(at) {
            if let Frame::Function(number) = frame
                && let Some(function) = self.script.functions.get_mut(number)
            {
                function.end = Some(self.line);
            }
        }
    }

    /// A command has ended.
    fn end(&mut self, state: &mut Commands, end: End) {
        let pending = std::mem::take(&mut state.pending);
        let arguments = std::mem::take(&mut state.arguments);
        let (function, mut under) = here(state);
        let aside = matches!(end, End::Pipe | End::Background);
        if aside {
            under = under.max(Under::Other);
        }
        if let Some(from) = state.closed.take()
            && aside
            && !state.nested
        {
            // `{ A=1; } | x`: the whole of it ran in a subshell.
            for assignment in self.script.assignments.iter_mut().skip(from) {
                assignment.under = assignment.under.max(Under::Other);
            }
        }
        let command = state.command.take();
        if !state.nested {
            let mut keep = |mut assignment: Assignment| {
                let here = command == Some(Command::AssignsHere);
                assignment.local = function.is_some_and(|number| {
                    let local = (number, assignment.name.clone());
                    here && self.script.locals.insert(local.clone()) || self.script.locals.contains(&local)
                });
                assignment.function = function;
                assignment.under = under;
                for implied in implied(&assignment) {
                    self.script.assignments.push(implied);
                }
                if !assignment.name.is_empty() {
                    self.script.assignments.push(assignment);
                }
            };
            if matches!(command, Some(Command::Runs | Command::Reads | Command::Prints)) {
                self.script.for_one_command.extend(pending.into_iter().map(|assignment| (assignment.name, assignment.line)));
            } else {
                pending.into_iter().for_each(&mut keep);
            }
            arguments.into_iter().for_each(&mut keep);
        }
        state.first = true;
        state.name = None;
        state.previous.clear();
        state.before = end;
    }

    fn heredocs(&mut self, state: &mut Commands) {
        for (delimiter, tabs) in std::mem::take(&mut state.heredocs) {
            while !self.rest().is_empty() {
                let line = self.rest().split('\n').next().unwrap_or_default();
                self.skip(line.len());
                self.bump();
                let line = if tabs { line.trim_start_matches('\t') } else { line };
                if line == delimiter {
                    break;
                }
            }
        }
    }

    fn redirection(&mut self, state: &mut Commands) -> Done {
        if self.starts("<(") || self.starts(">(") {
            self.skip(2);
            return self.commands(true);
        }
        let heredoc = self.starts("<<") && !self.starts("<<<");
        let tabs = self.starts("<<-");
        while let Some('<' | '>' | '&' | '|') = self.peek() {
            self.bump();
            if self.starts("(") {
                break;
            }
        }
        if tabs {
            self.skip(1);
        }
        self.blanks();
        if self.starts("(") {
            self.bump();
            return self.commands(true);
        }
        let target = self.word()?;
        if heredoc {
            let text = target.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "" }).collect();
            state.heredocs.push((text, tabs));
        }
        Ok(())
    }

    /// A word where a command or one of its arguments may stand.
    fn word_of(&mut self, state: &mut Commands) -> Done {
        let line = self.line;
        let assigns = state.first || matches!(state.command, Some(Command::Assigns | Command::AssignsHere));
        if assigns && let Some(target) = target(self.rest()) {
            let name = target.name.to_owned();
            self.skip(target.length);
            let word = if self.starts("(") { self.array()? } else { self.value()? };
            // An element of an array is no value.
            let word = if target.element { vec![Part::Unread(Unread::Array)] } else { word };
            let assignment = Assignment { appends: target.appends && !target.element, ..Assignment::new(&name, line, word) };
            if !state.nested && self.is_cut() {
                self.rest_of_value = true;
                self.script.cut.push((name, line));
            }
            if state.first {
                state.pending.push(assignment);
            } else {
                state.arguments.push(assignment);
            }
            return Ok(());
        }
        let start = self.at;
        let word = self.word()?;
        if self.at == start {
            // A character no rule knows: go on behind it.
            self.bump();
            return Ok(());
        }
        let plain = &self.text[start..self.at];
        if state.first {
            return self.first_word(state, plain, line);
        }
        self.argument(state, plain, line, word);
        plain.clone_into(&mut state.previous);
        state.name = None;
        Ok(())
    }

    /// A word behind the first one.
    fn argument(&mut self, state: &mut Commands, plain: &str, line: usize, word: Word) {
        let is_name = !plain.is_empty() && name(plain).len() == plain.len();
        let function = place(&state.frames).0;
        let mut sets = |word| state.arguments.push(Assignment::new(plain, line, word));
        match state.command {
            Some(Command::Null) => state.arguments.push(Assignment::new("", line, word)),
            Some(Command::Reads) if is_name => sets(vec![Part::Unread(Unread::Asked)]),
            Some(Command::Prints) if is_name && state.previous == "-v" => sets(vec![Part::Unread(Unread::Command)]),
            Some(Command::Unsets) if plain == "-f" => state.command = Some(Command::Runs),
            Some(Command::Unsets) if is_name => {
                state.arguments.push(Assignment { unsets: true, ..Assignment::new(plain, line, Word::new()) });
            }
            Some(Command::AssignsHere) if plain.starts_with('-') && plain.contains('g') => {
                state.command = Some(Command::Assigns);
            }
            Some(Command::AssignsHere) if is_name && !state.nested => {
                self.script.locals.extend(function.map(|number| (number, plain.to_owned())));
            }
            Some(Command::Assigns) if plain.starts_with('=') && !state.nested => {
                self.script.spaced.push((state.previous.clone(), line));
            }
            Some(Command::Assigns) if plain.ends_with(':') && !state.nested => {
                self.script.spaced.push((name(plain).to_owned(), line));
            }
            _ => {}
        }
    }

    /// Does an operator end the value that was read, where a list of values has none?
    fn is_cut(&self) -> bool {
        match self.peek() {
            Some(';') => !self.rest()[1..].starts_with([' ', '\t', '\r', '\n', ';', '#']) && self.rest().len() > 1,
            _ => self.rest().trim_start_matches([' ', '\t']).starts_with(['&', '|', '(', ')', '<', '>']),
        }
    }

    /// The first word of a command; `plain` as it is written, since a quoted word is no keyword.
    fn first_word(&mut self, state: &mut Commands, plain: &str, line: usize) -> Done {
        let assigned = !state.pending.is_empty();
        if !assigned {
            match plain {
                "if" => return self.compound(state, Frame::If),
                "while" | "until" => {
                    let options = self.over_options();
                    return self.compound(state, Frame::Loop(options));
                }
                "for" | "select" => {
                    let options = self.over_options();
                    self.compound(state, Frame::Loop(options))?;
                    let variable = name(self.rest().trim_start_matches([' ', '\t']));
                    if !variable.is_empty() {
                        let word = vec![Part::Unread(Unread::Array)];
                        state.arguments.push(Assignment::new(variable, line, word));
                    }
                    state.first = false;
                    state.command = Some(Command::Runs);
                    return Ok(());
                }
                "then" | "else" | "elif" | "do" | "!" | "time" => {
                    self.begin(state);
                    return Ok(());
                }
                "{" => {
                    let under = before(state);
                    let frame = state.function.take().map_or(Frame::Brace(under), Frame::Function);
                    return self.compound(state, frame);
                }
                "fi" => return self.compound_end(state, |frame| *frame == Frame::If),
                "done" => return self.compound_end(state, |frame| matches!(frame, Frame::Loop(_))),
                "esac" => return self.compound_end(state, |frame| matches!(frame, Frame::Case(_))),
                "}" => return self.compound_end(state, |frame| matches!(frame, Frame::Brace(_) | Frame::Function(_))),
                "case" => return self.case(state),
                "[[" => return self.test(state),
                "function" => {
                    self.blanks();
                    let start = self.at;
                    self.word()?;
                    let name = self.text[start..self.at].to_owned();
                    self.blanks();
                    self.skip(empty_parentheses(self.rest()).unwrap_or(0));
                    self.function(state, &name, line);
                    return Ok(());
                }
                _ => {}
            }
        }
        state.first = false;
        state.function = None;
        let command = match plain {
            "export" | "readonly" => Command::Assigns,
            "local" | "declare" | "typeset" => Command::AssignsHere,
            ":" | "true" => Command::Null,
            "read" | "mapfile" | "readarray" => Command::Reads,
            "printf" => Command::Prints,
            "unset" => Command::Unsets,
            _ => Command::Runs,
        };
        state.command = Some(command);
        if !assigned {
            state.name = Some((plain.to_owned(), line));
        }
        if matches!(command, Command::Runs | Command::Reads | Command::Prints) {
            // `INSTANCE_NAME=Uni Klinik`, `HTTPS_PORT = 443` and `HTTPS_PORT: 443` are no commands, but mistakes.
            self.rest_of_value |= assigned || self.is_odd(plain);
            self.runs();
        }
        if !state.nested {
            if command == Command::Runs {
                let (function, under) = here(state);
                self.script.calls.push(Call { word: plain.to_owned(), line, function, under });
            }
            self.unseen(plain, line);
        }
        Ok(())
    }

    /// A first word that looks like the name of a setting.
    fn is_odd(&self, plain: &str) -> bool {
        let name = name(plain);
        let capital = name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let equals = self.rest().trim_start_matches([' ', '\t']).starts_with('=');
        !name.is_empty() && (&plain[name.len()..] == ":" || (name == plain && (capital || equals)))
    }

    /// A command that may assign what is not seen here.
    fn unseen(&mut self, plain: &str, line: usize) {
        let next = self.rest().trim_start_matches([' ', '\t']);
        let next = next.split([' ', '\t', '\n', ';', '&', '|']).next().unwrap_or_default();
        match plain {
            "source" | "." if !HARMLESS.contains(&next.trim_matches(['"', '\''])) => {
                let path = |c: char| c.is_ascii_alphanumeric() || "_./-${}~\"'".contains(c);
                let file = if !next.is_empty() && next.chars().all(path) { next } else { "another file" };
                self.script.unseen.push((line, format!("reads {file}, which is not followed: import that file, too")));
            }
            // `eval set -- ..` is how options are put in order.
            "eval" if next != "set" => {
                self.script.unseen.push((line, "runs a text as commands (eval), which are not seen".to_owned()));
            }
            _ => {}
        }
    }

    /// Does the loop that begins here go over the options the script was called with?
    fn over_options(&self) -> bool {
        let header = self.rest().split('\n').next().unwrap_or_default();
        ["$#", "\"$@\"", "$@", "$*", "$1", "${1", "getopts"].iter().any(|one| header.contains(one))
    }

    fn compound(&mut self, state: &mut Commands, frame: Frame) -> Done {
        state.function = None;
        self.push_frame(state, frame);
        self.begin(state);
        Ok(())
    }

    fn compound_end(&mut self, state: &mut Commands, is: impl Fn(&Frame) -> bool) -> Done {
        self.close(state, is);
        // What follows on the line is a redirection or an operator.
        state.first = false;
        state.command = Some(Command::Runs);
        Ok(())
    }

    fn case(&mut self, state: &mut Commands) -> Done {
        self.compound(state, Frame::Case(false))?;
        for words in 0.. {
            self.blanks_and_lines();
            let start = self.at;
            self.word()?;
            if self.at == start || (words > 0 && &self.text[start..self.at] == "in") {
                break;
            }
        }
        if let Some(Frame::Case(pattern)) = state.frames.last_mut() {
            *pattern = true;
        }
        Ok(())
    }

    /// `pattern | pattern)`, or the `esac` at the end.
    fn case_pattern(&mut self, state: &mut Commands) -> Done {
        self.blanks_and_lines();
        let after = self.rest().strip_prefix("esac");
        if after.is_some_and(|after| after.chars().next().is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_')) {
            self.skip(4);
            return self.compound_end(state, |frame| matches!(frame, Frame::Case(_)));
        }
        if self.starts("(") {
            self.bump();
        }
        let mut depth = 0_usize;
        let mut ignored = Word::new();
        loop {
            match self.peek() {
                None => break,
                Some('(') => {
                    depth += 1;
                    self.bump();
                }
                Some(')') => {
                    self.bump();
                    if depth == 0 {
                        break;
                    }
                    depth -= 1;
                }
                Some(_) => self.piece(&mut ignored, false)?,
            }
        }
        if let Some(Frame::Case(pattern)) = state.frames.last_mut() {
            *pattern = false;
        }
        self.begin(state);
        Ok(())
    }

    /// `[[ .. ]]`, in which parentheses and `<` mean something else.
    fn test(&mut self, state: &mut Commands) -> Done {
        self.runs();
        state.first = false;
        state.command = Some(Command::Runs);
        let mut after_blank = false;
        let mut ignored = Word::new();
        while let Some(c) = self.peek() {
            if after_blank && self.starts("]]") {
                self.skip(2);
                break;
            }
            after_blank = c.is_whitespace();
            self.piece(&mut ignored, false)?;
        }
        Ok(())
    }

    /// `(a b c)`.
    fn array(&mut self) -> Result<Word, ReadError> {
        let line = self.line;
        self.bump();
        loop {
            self.blanks_and_lines();
            match self.peek() {
                None => return Err(ReadError::Unterminated { what: "(", line }),
                Some(')') => {
                    self.bump();
                    return Ok(vec![Part::Unread(Unread::Array)]);
                }
                Some(_) => {
                    let start = self.at;
                    self.word()?;
                    if self.at == start {
                        self.bump();
                    }
                }
            }
        }
    }

    /// What stands behind the `=`.
    fn value(&mut self) -> Result<Word, ReadError> {
        if self.starts("~") {
            self.word()?;
            return Ok(vec![Part::Unread(Unread::Home)]);
        }
        self.word()
    }

    fn word(&mut self) -> Result<Word, ReadError> {
        let mut word = Word::new();
        while let Some(c) = self.peek() {
            // Only an escaped line end goes on; a \r is the rest of a line end.
            if matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>') {
                break;
            }
            self.piece(&mut word, false)?;
        }
        Ok(word)
    }

    /// One character, quoted text or expansion. `quoted`: within double quotes, where
    /// a single quote is a character like others.
    fn piece(&mut self, word: &mut Word, quoted: bool) -> Done {
        match self.peek() {
            Some('\\') if !quoted => {
                self.bump();
                match self.bump() {
                    Some('\n') | None => {}
                    Some(c) => push(word, c),
                }
                Ok(())
            }
            Some('\\') => {
                self.bump();
                match self.peek() {
                    Some('\n') => {
                        self.bump();
                    }
                    Some(c @ ('$' | '`' | '"' | '\\')) => {
                        self.bump();
                        push(word, c);
                    }
                    _ => push(word, '\\'),
                }
                Ok(())
            }
            Some('\'') if !quoted => self.single(word),
            Some('"') => self.double(word),
            Some('`') => self.backticks(word),
            Some('$') => self.dollar(word, quoted),
            Some(c) => {
                self.bump();
                push(word, c);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn single(&mut self, word: &mut Word) -> Done {
        let line = self.line;
        self.bump();
        // Quotes make a word, also an empty one.
        push_text(word, "");
        loop {
            match self.bump() {
                None => return Err(ReadError::Unterminated { what: "a single quote", line }),
                Some('\'') => return Ok(()),
                Some(c) => push(word, c),
            }
        }
    }

    fn double(&mut self, word: &mut Word) -> Done {
        let line = self.line;
        self.deeper()?;
        self.bump();
        push_text(word, "");
        loop {
            match self.peek() {
                None => return Err(ReadError::Unterminated { what: "a double quote", line }),
                Some('"') => {
                    self.bump();
                    self.depth -= 1;
                    return Ok(());
                }
                Some(_) => self.piece(word, true)?,
            }
        }
    }

    fn backticks(&mut self, word: &mut Word) -> Done {
        let line = self.line;
        self.bump();
        loop {
            match self.bump() {
                None => return Err(ReadError::Unterminated { what: "a backtick", line }),
                Some('`') => break,
                Some('\\') => {
                    self.bump();
                }
                Some(_) => {}
            }
        }
        word.push(Part::Unread(Unread::Command));
        Ok(())
    }

    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Done {
        self.bump();
        match self.peek() {
            Some('(') if self.starts("((") => {
                self.parentheses()?;
                word.push(Part::Unread(Unread::Arithmetic));
                Ok(())
            }
            Some('(') => {
                self.bump();
                self.commands(true)?;
                word.push(Part::Unread(Unread::Command));
                Ok(())
            }
            Some('{') => self.braces(word, quoted),
            Some('\'') if !quoted => self.escaped(word),
            // A text to translate is the text.
            Some('"') if !quoted => self.double(word),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = name(self.rest()).to_owned();
                self.skip(name.len());
                word.push(Part::Variable { name, otherwise: Otherwise::Nothing });
                Ok(())
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.bump();
                word.push(Part::Unread(Unread::Argument));
                Ok(())
            }
            _ => {
                push(word, '$');
                Ok(())
            }
        }
    }

    /// From a `(` to the one that closes it.
    fn parentheses(&mut self) -> Done {
        let line = self.line;
        self.deeper()?;
        let mut open = 0_usize;
        let mut ignored = Word::new();
        loop {
            match self.peek() {
                None => return Err(ReadError::Unterminated { what: "((", line }),
                Some('(') => {
                    open += 1;
                    self.bump();
                }
                Some(')') => {
                    open -= 1;
                    self.bump();
                    if open == 0 {
                        self.depth -= 1;
                        return Ok(());
                    }
                }
                Some(_) => self.piece(&mut ignored, false)?,
            }
        }
    }

    /// `${..}`, from the `{`.
    fn braces(&mut self, word: &mut Word, quoted: bool) -> Done {
        let line = self.line;
        self.deeper()?;
        self.bump();
        let name = name(self.rest()).to_owned();
        self.skip(name.len());
        if self.starts("}") && !name.is_empty() {
            self.bump();
            word.push(Part::Variable { name, otherwise: Otherwise::Nothing });
            self.depth -= 1;
            return Ok(());
        }
        let colon = self.starts(":");
        let operator = self.rest().chars().nth(usize::from(colon)).filter(|c| "-=+?".contains(*c) && !name.is_empty());
        let mut inner = Word::new();
        if operator.is_some() {
            self.skip(1 + usize::from(colon));
            if !quoted && self.starts("~") {
                inner.push(Part::Unread(Unread::Home));
            }
        }
        loop {
            match self.peek() {
                None => return Err(ReadError::Unterminated { what: "${", line }),
                Some('}') => break,
                // In a pattern, quotes are quotes, also within double quotes.
                Some(_) => self.piece(&mut inner, quoted && operator.is_some())?,
            }
        }
        self.bump();
        self.depth -= 1;
        word.push(match operator {
            Some(sign @ ('-' | '=')) => {
                Part::Variable { name, otherwise: Otherwise::Default { empty_too: colon, assigns: sign == '=', word: inner } }
            }
            Some('+') => Part::Variable { name, otherwise: Otherwise::WhenSet { not_empty: colon, word: inner } },
            Some(_) => Part::Variable { name, otherwise: Otherwise::Nothing },
            None if name.is_empty() => Part::Unread(Unread::Argument),
            None => Part::Unread(Unread::Edited(name)),
        });
        Ok(())
    }

    /// `$'..'`, from the quote.
    fn escaped(&mut self, word: &mut Word) -> Done {
        let line = self.line;
        let unterminated = ReadError::Unterminated { what: "a single quote", line };
        self.bump();
        push_text(word, "");
        loop {
            let Some(c) = self.bump() else { return Err(unterminated) };
            if c == '\'' {
                return Ok(());
            }
            if c != '\\' {
                push(word, c);
                continue;
            }
            let Some(c) = self.bump() else { return Err(unterminated) };
            match c {
                'n' => push(word, '\n'),
                't' => push(word, '\t'),
                'r' => push(word, '\r'),
                'a' => push(word, '\u{7}'),
                'b' => push(word, '\u{8}'),
                'e' | 'E' => push(word, '\u{1b}'),
                'f' => push(word, '\u{c}'),
                'v' => push(word, '\u{b}'),
                'x' => self.code(word, 16, 2, 0),
                'u' => self.code(word, 16, 4, 0),
                'U' => self.code(word, 16, 8, 0),
                '0'..='7' => self.code(word, 8, 2, u32::from(c) - u32::from('0')),
                '\\' | '\'' | '"' | '?' => push(word, c),
                other => {
                    push(word, '\\');
                    push(word, other);
                }
            }
        }
    }

    /// The digits of a character's number.
    fn code(&mut self, word: &mut Word, radix: u32, most: usize, mut number: u32) {
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(radix)) else { break };
            number = number.saturating_mul(radix).saturating_add(digit);
            self.bump();
        }
        push(word, char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
}

/// The function, and what the assignment stands under in it.
fn place(frames: &[Frame]) -> (Option<usize>, Under) {
    let mut under = Under::Nothing;
    for frame in frames.iter().rev() {
        match frame {
            Frame::Function(number) => return (Some(*number), under),
            Frame::Brace(itself) => under = under.max(*itself),
            Frame::If => under = under.max(Under::Condition),
            Frame::Loop(true) => under = Under::Options,
            Frame::Loop(false) | Frame::Case(_) | Frame::Paren => under = under.max(Under::Other),
        }
    }
    (None, under)
}

/// What a command stands under because of the one before it.
fn before(state: &Commands) -> Under {
    match state.before {
        End::Conditional => Under::Condition,
        End::Pipe => Under::Other,
        End::Line | End::Background => Under::Nothing,
    }
}

/// The function, and what the command stands under in it.
fn here(state: &Commands) -> (Option<usize>, Under) {
    let (function, under) = place(&state.frames);
    (function, under.max(before(state)))
}

/// The assignments that `${X:=y}` in a word makes.
fn implied(of: &Assignment) -> Vec<Assignment> {
    let assigned = |part: &Part| match part {
        Part::Variable { name, otherwise: Otherwise::Default { assigns: true, .. } } => {
            Some(Assignment { name: name.clone(), word: vec![part.clone()], appends: false, ..of.clone() })
        }
        _ => None,
    };
    of.word.iter().filter_map(assigned).collect()
}

fn push(word: &mut Word, c: char) {
    push_text(word, c.encode_utf8(&mut [0; 4]));
}

fn push_text(word: &mut Word, text: &str) {
    if let Some(Part::Text(before)) = word.last_mut() {
        before.push_str(text);
    } else {
        word.push(Part::Text(text.to_owned()));
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

/// The left side of an assignment.
struct Target<'t> {
    name: &'t str,
    /// Of an array.
    element: bool,
    appends: bool,
    /// With its `=`.
    length: usize,
}

fn target(text: &str) -> Option<Target<'_>> {
    let name = name(text);
    if name.is_empty() {
        return None;
    }
    let mut length = name.len();
    let mut element = false;
    if let Some(subscript) = text[length..].strip_prefix('[') {
        length += subscript.find([']', '\n']).filter(|at| subscript[*at..].starts_with(']'))? + 2;
        element = true;
    }
    let appends = text[length..].starts_with('+');
    length += usize::from(appends);
    text[length..].starts_with('=').then_some(Target { name, element, appends, length: length + 1 })
}

/// The length of `()`, with blanks in it.
fn empty_parentheses(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('(')?;
    let blanks = inner.len() - inner.trim_start_matches([' ', '\t']).len();
    inner[blanks..].starts_with(')').then_some(blanks + 2)
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
