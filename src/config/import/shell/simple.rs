//! The words of a simple command: assignments before it, its name, its arguments.

use super::commands::{Command, Commands, Frame, before, here, place};
use super::{Assignment, Call, Done, HARMLESS, Part, Reader, Unread, Word, name};

impl Reader<'_> {
    /// A word where a command or one of its arguments may stand.
    pub(super) fn word_of(&mut self, state: &mut Commands) -> Done {
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
    pub(super) fn argument(&mut self, state: &mut Commands, plain: &str, line: usize, word: Word) {
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
    pub(super) fn is_cut(&self) -> bool {
        match self.peek() {
            Some(';') => !self.rest()[1..].starts_with([' ', '\t', '\r', '\n', ';', '#']) && self.rest().len() > 1,
            _ => self.rest().trim_start_matches([' ', '\t']).starts_with(['&', '|', '(', ')', '<', '>']),
        }
    }

    /// The first word of a command; `plain` as it is written, since a quoted word is no keyword.
    pub(super) fn first_word(&mut self, state: &mut Commands, plain: &str, line: usize) -> Done {
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
    pub(super) fn is_odd(&self, plain: &str) -> bool {
        let name = name(plain);
        let capital = name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let equals = self.rest().trim_start_matches([' ', '\t']).starts_with('=');
        !name.is_empty() && (&plain[name.len()..] == ":" || (name == plain && (capital || equals)))
    }

    /// A command that may assign what is not seen here.
    pub(super) fn unseen(&mut self, plain: &str, line: usize) {
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
    pub(super) fn over_options(&self) -> bool {
        let header = self.rest().split('\n').next().unwrap_or_default();
        ["$#", "\"$@\"", "$@", "$*", "$1", "${1", "getopts"].iter().any(|one| header.contains(one))
    }
}

/// The left side of an assignment.
pub(super) struct Target<'t> {
    pub(super) name: &'t str,
    /// Of an array.
    pub(super) element: bool,
    pub(super) appends: bool,
    /// With its `=`.
    pub(super) length: usize,
}

pub(super) fn target(text: &str) -> Option<Target<'_>> {
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
pub(super) fn empty_parentheses(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('(')?;
    let blanks = inner.len() - inner.trim_start_matches([' ', '\t']).len();
    inner[blanks..].starts_with(')').then_some(blanks + 2)
}
