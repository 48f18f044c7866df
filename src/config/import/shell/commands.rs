//! Commands one after the other: how each ends, and what is open around it.

use super::simple::empty_parentheses;
use super::{Assignment, Done, Function, Otherwise, Part, ReadError, Reader, Under};

/// What is open around a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
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
pub(super) enum Command {
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
pub(super) enum End {
    Line,
    Conditional,
    Pipe,
    Background,
}

/// What is known at one place between commands.
pub(super) struct Commands {
    /// In a substitution: it runs in a subshell, its assignments are of no interest.
    pub(super) nested: bool,
    pub(super) frames: Vec<Frame>,
    /// For each frame, how many assignments came before it.
    pub(super) starts: Vec<usize>,
    /// So, for the frame that the command closed.
    pub(super) closed: Option<usize>,
    pub(super) heredocs: Vec<(String, bool)>,
    /// The next word is the first one of a command.
    pub(super) first: bool,
    /// Assignments before the first word, and those among the arguments.
    pub(super) pending: Vec<Assignment>,
    pub(super) arguments: Vec<Assignment>,
    pub(super) command: Option<Command>,
    /// The word before, as it is written.
    pub(super) previous: String,
    /// The only word of the command so far, when it could be a function's name.
    pub(super) name: Option<(String, usize)>,
    /// The function whose body comes next.
    pub(super) function: Option<usize>,
    /// How the command before ended.
    pub(super) before: End,
}

impl Reader<'_> {
    /// Reads commands to the end of the file, or, in a substitution, to its `)`.
    pub(super) fn commands(&mut self, nested: bool) -> Done {
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

    pub(super) fn operator(&mut self, state: &mut Commands) -> Done {
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
    pub(super) fn open(&mut self, state: &mut Commands) -> Done {
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

    pub(super) fn push_frame(&self, state: &mut Commands, frame: Frame) {
        state.frames.push(frame);
        state.starts.push(self.script.assignments.len());
    }

    /// A command is run.
    pub(super) fn runs(&mut self) {
        self.script.runs_commands |= !self.rest_of_value;
    }

    pub(super) fn function(&mut self, state: &mut Commands, name: &str, line: usize) {
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
    pub(super) fn begin(&mut self, state: &mut Commands) {
        self.runs();
        state.first = true;
        state.command = None;
        state.name = None;
        state.before = End::Line;
    }

    pub(super) fn close(&mut self, state: &mut Commands, is: impl Fn(&Frame) -> bool) {
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
    pub(super) fn end(&mut self, state: &mut Commands, end: End) {
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

    pub(super) fn heredocs(&mut self, state: &mut Commands) {
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

    pub(super) fn redirection(&mut self, state: &mut Commands) -> Done {
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
}

/// The function, and what the assignment stands under in it.
pub(super) fn place(frames: &[Frame]) -> (Option<usize>, Under) {
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
pub(super) fn before(state: &Commands) -> Under {
    match state.before {
        End::Conditional => Under::Condition,
        End::Pipe => Under::Other,
        End::Line | End::Background => Under::Nothing,
    }
}

/// The function, and what the command stands under in it.
pub(super) fn here(state: &Commands) -> (Option<usize>, Under) {
    let (function, under) = place(&state.frames);
    (function, under.max(before(state)))
}

/// The assignments that `${X:=y}` in a word makes.
pub(super) fn implied(of: &Assignment) -> Vec<Assignment> {
    let assigned = |part: &Part| match part {
        Part::Variable { name, otherwise: Otherwise::Default { assigns: true, .. } } => {
            Some(Assignment { name: name.clone(), word: vec![part.clone()], appends: false, ..of.clone() })
        }
        _ => None,
    };
    of.word.iter().filter_map(assigned).collect()
}
