//! From the assignments of a script to the settings of its administrator.
//!
//! The rule, which `docs/configure.md` tells people:
//!
//! 1. The settings stand in one block: on the top level, or in the function that sets more
//!    of the known variables than the top level does (`kaapanactl.sh` of 0.6 has such a
//!    function).
//! 2. In the block only what stands under no condition, loop or `case` counts, and of
//!    several assignments the last one. One that cannot be known without running something
//!    leaves no value.
//! 3. The instance's prefix and suffix, which the agent puts on itself, are passed over.
//! 4. **The net:** a known variable that is assigned anywhere in the file, and of which no
//!    value is certain, is a setting with a reason in place of a value. Only what a function
//!    or a subshell keeps to itself is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::shell::{Assignment, Otherwise, Part, Script, Under, Unread, Word};

/// Why a value is not known. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is what the reader does not read.
    Unread(Unread),
    /// It refers to a variable that the file does not set.
    Unset(String),
    /// It refers to a variable that is set under a condition, on this line.
    Unclear(String, usize),
    /// It refers to a variable whose value is not known.
    Unknown(String),
    /// It holds what is no UTF-8.
    Encoding,
    /// It is set to several values, on these lines, and which one counts is not known.
    Several(Vec<usize>),
    /// It is set under this only.
    Conditional(Under),
    /// It is set in these functions only.
    InFunctions(Vec<String>),
    /// It stands before another word on its line.
    ForOneCommand,
    /// An operator of the shell ends it.
    Cut,
    /// A blank or a colon stands where the `=` is expected.
    NoAssignment,
    /// The instance's identifier is put where the agent puts it, too, but in another way.
    Instance,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(Unread::Command) => write!(f, "is the output of a command, which is not run"),
            Self::Unread(Unread::Arithmetic) => write!(f, "is computed, and nothing is run"),
            Self::Unread(Unread::Array) => write!(f, "is an array, expected one value"),
            Self::Unread(Unread::Home) => write!(f, "begins with ~, the home directory of whoever ran the script"),
            Self::Unread(Unread::Argument) => write!(f, "depends on how the script was called"),
            Self::Unread(Unread::Asked) => write!(f, "is asked for by the script"),
            Self::Unread(Unread::Edited(name)) => write!(f, "is made out of {name}, and nothing is run"),
            Self::Unset(name) => write!(f, "refers to {name}, which the file does not set"),
            Self::Unclear(name, line) => write!(f, "refers to {name}, which line {line} sets under a condition"),
            Self::Unknown(name) => write!(f, "refers to {name}, whose value is not known"),
            Self::Encoding => write!(f, "is not UTF-8 text"),
            Self::Several(lines) => {
                let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                write!(f, "has several values, lines {}, and which one counts is not known", lines.join(" and "))
            }
            Self::Conditional(Under::Nothing | Under::Condition) => write!(f, "is set under a condition only"),
            Self::Conditional(Under::Other) => write!(f, "is set in a loop, a case, a subshell or the background only"),
            Self::Conditional(Under::Options) => write!(f, "depends on how the script was called"),
            Self::InFunctions(names) if names.iter().any(String::is_empty) => write!(f, "is set in a function only"),
            Self::InFunctions(names) if names.len() == 1 => write!(f, "is set in the function {} only", names[0]),
            Self::InFunctions(names) => write!(f, "is set in the functions {} only", names.join(" and ")),
            Self::Cut => write!(f, "is followed by a character that means something to a shell; quote it"),
            Self::NoAssignment => write!(f, "is followed by a blank or a colon, expected KEY=value"),
            Self::Instance => write!(f, "is built with INSTANCE_UID, which the agent puts on itself, but in another way"),
            Self::ForOneCommand => write!(f, "is followed by another word; a value with blanks needs quotes"),
        }
    }
}

/// What a word comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its text.
    pub text: String,
    /// A variable of the environment would have come before it.
    pub default: bool,
}

/// One variable and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub name: String,
    /// The line the value stands on.
    pub line: usize,
    /// The value.
    pub value: Result<Text, Why>,
}

/// An assignment that was not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The variable.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// The line of the value that was taken.
    pub kept: usize,
    /// Why.
    pub why: String,
}

/// What a script says.
#[derive(Debug, Default)]
pub struct Resolved {
    /// In the order of the file; known variables and others.
    pub settings: Vec<Setting>,
    /// What was not followed, of known variables.
    pub passed_over: Vec<PassedOver>,
    /// Variables that settings refer to.
    pub used: BTreeSet<String>,
    /// The line the block of the settings ends on; `None`: with the file.
    pub end: Option<usize>,
    /// Variables that are set for one command only, with their lines; of known ones.
    pub for_one_command: Vec<(String, usize)>,
}

type Scope = BTreeMap<String, Result<String, Why>>;

/// Finds the settings of a script.
pub fn resolve(script: &Script, known: impl Fn(&str) -> bool) -> Resolved {
    let block = block(script, &known);
    let mut resolved = Resolved {
        end: match block {
            Some(number) => script.functions[number].end,
            None => script.functions.first().map(|function| function.line),
        },
        ..Resolved::default()
    };
    let mut scope = Scope::new();
    let mut top = Run::default();
    top.follow(script, None, &mut scope, &mut resolved);
    let mut inner = Run::default();
    if block.is_some() {
        inner.follow(script, block, &mut scope, &mut resolved);
    }
    let called = called(script);
    let mut names: Vec<&str> = Vec::new();
    for one in script.assignments.iter().filter(|one| !one.local) {
        if !names.contains(&one.name.as_str()) {
            names.push(&one.name);
        }
    }
    for name in names {
        let (first, second) = (top.found.remove(name), inner.found.remove(name));
        if known(name) {
            let others = script.assignments.iter().filter(|one| {
                one.name == name && !one.local && one.function.is_some() && (block.is_none() || one.function != block)
            });
            let name = Name { script, scope: &scope, called: &called, name, certain: block.is_none() };
            name.decide(first.unwrap_or_default(), second, &others.collect::<Vec<_>>(), &mut resolved);
        } else if let Some(kept) = second.and_then(|found| found.kept).or_else(|| first.and_then(|found| found.kept)) {
            resolved.settings.push(Setting { name: name.to_owned(), line: kept.line, value: kept.value });
        }
    }
    resolved.mistakes(script, &known);
    resolved.settings.sort_by_key(|setting| setting.line);
    resolved
}

/// The function the settings stand in; `None`: the top level.
fn block(script: &Script, known: impl Fn(&str) -> bool) -> Option<usize> {
    let count = |block: Option<usize>| {
        let names: BTreeSet<&str> = script
            .assignments
            .iter()
            .filter(|one| one.function == block && !one.local && one.under == Under::Nothing && known(&one.name))
            .map(|one| one.name.as_str())
            .collect();
        names.len()
    };
    let mut best = (None, count(None));
    for number in 0..script.functions.len() {
        let names = count(Some(number));
        if names > best.1 {
            best = (Some(number), names);
        }
    }
    best.0
}

/// The functions that are run whenever the script is.
fn called(script: &Script) -> BTreeSet<usize> {
    let mut called = BTreeSet::new();
    loop {
        let before = called.len();
        for call in script.calls.iter().filter(|call| call.under == Under::Nothing) {
            if call.function.is_none_or(|number| called.contains(&number)) {
                called.extend((0..script.functions.len()).filter(|number| script.functions[*number].name == call.word));
            }
        }
        if called.len() == before {
            return called;
        }
    }
}

/// A value and its line.
#[derive(Clone)]
struct Kept {
    line: usize,
    value: Result<Text, Why>,
}

/// What a block says of a variable.
#[derive(Default)]
struct Found<'s> {
    /// What it is set to for certain.
    kept: Option<Kept>,
    /// What may be assigned after that.
    perhaps: Vec<&'s Assignment>,
    /// Where the instance's prefix or suffix is put on.
    instance: Vec<usize>,
}

/// What a block says.
#[derive(Default)]
struct Run<'s> {
    found: BTreeMap<String, Found<'s>>,
}

impl<'s> Run<'s> {
    /// Goes through the assignments of a block as a shell would.
    fn follow(&mut self, script: &'s Script, block: Option<usize>, scope: &mut Scope, resolved: &mut Resolved) {
        for one in script.assignments.iter().filter(|one| one.function == block) {
            if one.under != Under::Nothing {
                // Whether it is made is not known, so what refers to it is not known either.
                scope.insert(one.name.clone(), Err(Why::Unclear(one.name.clone(), one.line)));
                if !one.local {
                    self.found.entry(one.name.clone()).or_default().perhaps.push(one);
                }
                continue;
            }
            let value = assigned(one, scope);
            resolved.used.extend(one.word.iter().filter_map(|part| match part {
                Part::Variable { name, .. } if *name != one.name => Some(name.clone()),
                _ => None,
            }));
            let again = scope.contains_key(&one.name);
            if again && is_instance(one) {
                scope.insert(one.name.clone(), Err(Why::Unknown(one.name.clone())));
                self.found.entry(one.name.clone()).or_default().instance.push(one.line);
                continue;
            }
            let built = one.appends || refers_to_itself(one) || is_own_default(one);
            let value = if again && built && puts_instance(one, scope) { Err(Why::Instance) } else { value };
            if one.unsets {
                scope.remove(&one.name);
            } else {
                scope.insert(one.name.clone(), value.clone().map(|text| text.text));
            }
            if !one.local {
                self.found.entry(one.name.clone()).or_default().take(one, value, built);
            }
        }
    }
}

impl Found<'_> {
    /// An assignment that is always made, after those before it.
    fn take(&mut self, one: &Assignment, value: Result<Text, Why>, built: bool) {
        if !built {
            self.perhaps.clear();
            self.instance.clear();
        }
        match &self.kept {
            // Why the first one is not known says more than that the second refers to it.
            Some(Kept { value: Err(_), .. }) if built && value.is_err() => {}
            // The line of a default that changes nothing would only mislead.
            Some(Kept { value: Ok(old), .. }) if value.as_ref().is_ok_and(|new| new.text == old.text) => {}
            _ => self.kept = Some(Kept { line: one.line, value }),
        }
    }
}

/// What is known around a variable.
struct Name<'s> {
    script: &'s Script,
    scope: &'s Scope,
    called: &'s BTreeSet<usize>,
    name: &'s str,
    /// The settings are those of the top level.
    certain: bool,
}

impl Name<'_> {
    /// Adds the one setting that a known variable is: a value, or why there is none.
    fn decide(&self, top: Found, inner: Option<Found>, others: &[&Assignment], resolved: &mut Resolved) {
        let (kept, contradiction) = match (&top.kept, inner.as_ref().and_then(|inner| inner.kept.clone())) {
            (Some(top), Some(inner)) => {
                let same = matches!((&top.value, &inner.value), (Ok(a), Ok(b)) if a.text == b.text || a.text.is_empty());
                let lines = vec![top.line, inner.line];
                (Some(inner), (!same).then_some(lines))
            }
            (top, inner) => (inner.or_else(|| top.clone()), None),
        };
        if let (Some(mut lines), Some(kept)) = (contradiction, &kept) {
            lines.sort_unstable();
            self.add(resolved, kept.line, Err(Why::Several(lines)));
            return;
        }
        let instance: Vec<usize> = top.instance.iter().chain(inner.iter().flat_map(|inner| &inner.instance)).copied().collect();
        let inner = inner.map(|inner| inner.perhaps).unwrap_or_default();
        let perhaps: Vec<&Assignment> = top.perhaps.iter().chain(&inner).copied().collect();
        let value = kept.as_ref().map(|kept| kept.value.clone());
        match (kept, value) {
            (Some(kept), Some(Ok(text))) if !text.text.is_empty() => {
                self.with_value(&kept, &text, &instance, &perhaps, others, resolved);
            }
            (Some(kept), Some(Err(why))) => self.add(resolved, kept.line, Err(why)),
            (kept, _) => self.without_value(kept.as_ref(), &perhaps, others, resolved),
        }
    }

    fn add(&self, resolved: &mut Resolved, line: usize, value: Result<Text, Why>) {
        resolved.settings.push(Setting { name: self.name.to_owned(), line, value });
    }

    /// The text that an assignment would give, when it is known.
    fn text(&self, one: &Assignment) -> Option<String> {
        assigned(one, self.scope).ok().map(|text| text.text)
    }

    fn with_value(
        &self,
        kept: &Kept,
        text: &Text,
        instance: &[usize],
        perhaps: &[&Assignment],
        others: &[&Assignment],
        resolved: &mut Resolved,
    ) {
        let told = |one: &&&Assignment| !is_instance(one) && !is_option(one) && self.text(one).as_ref() != Some(&text.text);
        let others: Vec<&Assignment> = others.iter().filter(told).copied().collect();
        let always = |one: &&&Assignment| {
            let runs = !self.certain || one.function.is_some_and(|number| self.called.contains(&number));
            runs && one.under == Under::Nothing && !one.unsets && self.text(one).is_none_or(|text| !text.is_empty())
        };
        if let Some(other) = others.iter().find(always) {
            let mut lines = vec![kept.line, other.line];
            lines.sort_unstable();
            self.add(resolved, kept.line, Err(Why::Several(lines)));
            return;
        }
        let mut passed_over = |line: usize, why: String| {
            resolved.passed_over.push(PassedOver { name: self.name.to_owned(), line, kept: kept.line, why });
        };
        for line in instance {
            passed_over(*line, "puts on the instance's identifier, as the agent does itself".to_owned());
        }
        for one in perhaps.iter().filter(told) {
            passed_over(one.line, stands(one.under).to_owned());
        }
        for one in others {
            passed_over(one.line, format!("stands in {}", self.function(one)));
        }
        self.add(resolved, kept.line, Ok(text.clone()));
    }

    fn function(&self, one: &Assignment) -> String {
        match one.function.and_then(|number| self.script.functions.get(number)) {
            Some(function) if !function.name.is_empty() => format!("the function {}", function.name),
            _ => "a function".to_owned(),
        }
    }

    /// Nothing gives it a value for certain: it is empty, or there is a reason.
    fn without_value(&self, empty: Option<&Kept>, perhaps: &[&Assignment], others: &[&Assignment], resolved: &mut Resolved) {
        // A value that is empty, and what comes to nothing, leaves the variable unset.
        let counts = |one: &&&Assignment| {
            let nothing = self.text(one).is_some_and(|text| text.is_empty()) || one.unsets;
            !nothing && (empty.is_none() || !(is_option(one) || is_instance(one)))
        };
        let perhaps_set: Vec<&Assignment> = perhaps.iter().filter(counts).copied().collect();
        let others_set: Vec<&Assignment> = others.iter().filter(counts).copied().collect();
        let all: Vec<&Assignment> = perhaps_set.iter().chain(&others_set).copied().collect();
        if all.is_empty() {
            let line = empty.map(|kept| kept.line).or_else(|| perhaps.iter().chain(others).map(|one| one.line).min());
            self.add(resolved, line.unwrap_or_default(), Ok(Text { text: String::new(), default: false }));
        } else if all.iter().all(|one| is_option(one)) {
            self.add(resolved, all[0].line, Err(Why::Unread(Unread::Argument)));
        } else if let Some(first) = perhaps_set.iter().find(|one| !is_option(one)) {
            self.add(resolved, first.line, Err(Why::Conditional(first.under)));
        } else {
            let mut names: Vec<String> = Vec::new();
            for one in &others_set {
                let name = one.function.and_then(|number| self.script.functions.get(number)).map(|it| it.name.clone());
                let name = name.unwrap_or_default();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            self.add(resolved, others_set.first().map_or(0, |one| one.line), Err(Why::InFunctions(names)));
        }
    }
}

fn stands(under: Under) -> &'static str {
    match under {
        Under::Nothing | Under::Condition => "stands under a condition",
        Under::Other | Under::Options => "stands in a loop, a case, a subshell or the background",
    }
}

impl Resolved {
    /// Known variables in lines that are no assignments, but were probably meant to be.
    fn mistakes(&mut self, script: &Script, known: &impl Fn(&str) -> bool) {
        let mut wrong: Vec<(&str, usize, Why)> = Vec::new();
        for call in &script.calls {
            let name = super::shell::name(&call.word);
            let is_function = script.functions.iter().any(|function| function.name == call.word);
            if known(name) && !is_function {
                wrong.push((name, call.line, Why::NoAssignment));
            }
        }
        wrong.extend(script.spaced.iter().map(|(name, line)| (name.as_str(), *line, Why::NoAssignment)));
        if script.runs_commands {
            let unset = |name: &str| self.settings.iter().all(|setting| setting.name != name);
            let told = script.for_one_command.iter().filter(|(name, _)| known(name) && unset(name));
            self.for_one_command = told.cloned().collect();
        } else {
            wrong.extend(script.for_one_command.iter().map(|(name, line)| (name.as_str(), *line, Why::ForOneCommand)));
            wrong.extend(script.cut.iter().map(|(name, line)| (name.as_str(), *line, Why::Cut)));
        }
        for (name, line, why) in wrong.into_iter().filter(|(name, ..)| known(name)) {
            // It was meant to count, so what else the file says does not.
            self.settings.retain(|setting| setting.name != name);
            self.settings.push(Setting { name: name.to_owned(), line, value: Err(why) });
        }
    }
}

/// What the agent puts before namespaces.
const PREFIXED: &[&str] = &["SERVICES_NAMESPACE", "JOBS_NAMESPACE", "EXTENSIONS_NAMESPACE", "HELM_NAMESPACE"];

/// What the agent puts behind directories.
const SUFFIXED: &[&str] = &["FAST_DATA_DIR", "SLOW_DATA_DIR"];

const INSTANCE: &str = "INSTANCE_UID";

/// `X="$INSTANCE_UID-$X"`, `X="$X-$INSTANCE_UID"`: what the agent does itself.
fn is_instance(one: &Assignment) -> bool {
    let parts: Vec<&str> = one
        .word
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) if text.is_empty() => None,
            Part::Text(text) if text == "-" => Some("-"),
            Part::Variable { name, otherwise: Otherwise::Nothing } if name == INSTANCE => Some(INSTANCE),
            Part::Variable { name, otherwise: Otherwise::Nothing } if *name == one.name => Some("itself"),
            _ => Some("other"),
        })
        .collect();
    let name = one.name.as_str();
    (PREFIXED.contains(&name) && !one.appends && parts == [INSTANCE, "-", "itself"])
        || (SUFFIXED.contains(&name) && !one.appends && parts == ["itself", "-", INSTANCE])
        || (SUFFIXED.contains(&name) && one.appends && parts == ["-", INSTANCE])
}

/// Puts it the identifier on in another way?
fn puts_instance(one: &Assignment, scope: &Scope) -> bool {
    let refers = one.word.iter().any(|part| matches!(part, Part::Variable { name, .. } if name == INSTANCE));
    let empty = matches!(scope.get(INSTANCE), Some(Ok(text)) if text.is_empty());
    refers && !empty && (PREFIXED.contains(&one.name.as_str()) || SUFFIXED.contains(&one.name.as_str()))
}

/// Is it what an option of the script says?
fn is_option(one: &Assignment) -> bool {
    let argument = |part: &Part| match part {
        Part::Text(text) => text.is_empty(),
        Part::Unread(Unread::Argument) => true,
        _ => false,
    };
    let only = !one.word.is_empty() && one.word.iter().all(argument) && one.word.contains(&Part::Unread(Unread::Argument));
    one.under == Under::Options || (one.under != Under::Nothing && only)
}

/// `X="${X:-y}"`: the variable, when the environment has it.
fn is_own_default(one: &Assignment) -> bool {
    one.word.iter().any(|part| matches!(part, Part::Variable { .. }))
        && one.word.iter().all(|part| match part {
            Part::Text(text) => text.is_empty(),
            Part::Variable { name, otherwise: Otherwise::Default { .. } } => *name == one.name,
            _ => false,
        })
}

fn refers_to_itself(one: &Assignment) -> bool {
    let itself = |part: &Part| match part {
        Part::Variable { name, .. } | Part::Unread(Unread::Edited(name)) => *name == one.name,
        _ => false,
    };
    one.word.iter().any(itself) && !is_own_default(one)
}

/// What a variable is after an assignment.
fn assigned(one: &Assignment, scope: &Scope) -> Result<Text, Why> {
    let value = evaluate(&one.word, scope)?;
    match (one.appends, scope.get(&one.name)) {
        (true, Some(Ok(before))) => Ok(Text { text: format!("{before}{}", value.text), ..value }),
        (true, Some(Err(_))) => Err(Why::Unknown(one.name.clone())),
        _ => Ok(value),
    }
}

/// The text of a word, when it is known.
fn evaluate(word: &Word, scope: &Scope) -> Result<Text, Why> {
    let mut result = Text { text: String::new(), default: false };
    for part in word {
        match part {
            Part::Text(text) => result.text.push_str(text),
            Part::Unread(unread) => return Err(Why::Unread(unread.clone())),
            Part::Variable { name, otherwise } => {
                let found = variable(name, otherwise, scope)?;
                result.text.push_str(&found.text);
                result.default |= found.default;
            }
        }
    }
    Ok(result)
}

fn variable(name: &str, otherwise: &Otherwise, scope: &Scope) -> Result<Text, Why> {
    let set = match scope.get(name) {
        Some(Ok(text)) => Some(text),
        Some(Err(why @ Why::Unclear(..))) => return Err(why.clone()),
        Some(Err(_)) => return Err(Why::Unknown(name.to_owned())),
        None => None,
    };
    let plain = |text: &String| Ok(Text { text: text.clone(), default: false });
    match (otherwise, set) {
        (Otherwise::Default { empty_too: true, word, .. }, Some(text)) if text.is_empty() => evaluate(word, scope),
        (Otherwise::Nothing | Otherwise::Default { .. }, Some(text)) => plain(text),
        (Otherwise::Default { word, .. }, None) => Ok(Text { default: true, ..evaluate(word, scope)? }),
        (Otherwise::WhenSet { not_empty: true, .. }, Some(text)) if text.is_empty() => plain(text),
        (Otherwise::WhenSet { word, .. }, Some(_)) => evaluate(word, scope),
        (Otherwise::Nothing | Otherwise::WhenSet { .. }, None) => Err(Why::Unset(name.to_owned())),
    }
}
