//! From the assignments of a script to the settings of its administrator.
//!
//! The rule, which `docs/configure.md` tells people:
//!
//! 1. The settings stand in one block: on the top level before the first function, or in
//!    the function that sets most of the known variables (`kaapanactl.sh` of 0.6 has such
//!    a function).
//! 2. In the block only what stands under no condition, loop or `case` counts.
//! 3. Of several assignments the last one counts, unless it is built from the variable
//!    itself or cannot be known without running something: that is the script's own work,
//!    such as the instance's prefix, and what stood before stays.
//! 4. A known variable that the block does not set is taken from elsewhere, when there is
//!    one plain value for it.

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
    /// It is set to several values outside of the settings.
    Several,
    /// It is set under a condition only.
    Conditional,
    /// It stands before a command on its line.
    ForOneCommand,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(Unread::Command) => write!(f, "is the output of a command, which is not run"),
            Self::Unread(Unread::Arithmetic) => write!(f, "is computed, and nothing is run"),
            Self::Unread(Unread::Array) => write!(f, "is an array, expected one value"),
            Self::Unread(Unread::Home) => write!(f, "begins with ~, the home directory of whoever ran the script"),
            Self::Unread(Unread::Argument) => write!(f, "depends on how the script was called"),
            Self::Unread(Unread::Edited(name)) => write!(f, "is made out of {name}, and nothing is run"),
            Self::Unset(name) => write!(f, "refers to {name}, which the file does not set"),
            Self::Unclear(name, line) => write!(f, "refers to {name}, which line {line} sets under a condition"),
            Self::Unknown(name) => write!(f, "refers to {name}, whose value is not known"),
            Self::Encoding => write!(f, "is not UTF-8 text"),
            Self::Several => write!(f, "is set to several values outside of the settings"),
            Self::Conditional => write!(f, "is set under a condition only"),
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
    /// The function it was taken from, when that is not the block of the settings.
    pub function: Option<String>,
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
}

type Scope = BTreeMap<String, Result<String, Why>>;

/// Finds the settings of a script.
pub fn resolve(script: &Script, known: impl Fn(&str) -> bool) -> Resolved {
    let block = block(script, &known);
    let in_block = |one: &Assignment| in_block(one, block);
    let mut resolved = Resolved {
        end: match block {
            Some(number) => script.functions[number].end,
            None => script.functions.first().map(|function| function.line),
        },
        ..Resolved::default()
    };
    let mut scope = Scope::new();
    for one in script.assignments.iter().filter(|one| in_block(one) || is_top(one)) {
        if one.under != Under::Nothing {
            // Whether it is made is not known, so what refers to it is not known either.
            scope.insert(one.name.clone(), Err(Why::Unclear(one.name.clone(), one.line)));
            continue;
        }
        let value = evaluate(&one.word, &scope);
        resolved.used.extend(one.word.iter().filter_map(|part| match part {
            Part::Variable { name, .. } if *name != one.name => Some(name.clone()),
            _ => None,
        }));
        if in_block(one) {
            resolved.take(one, value.clone(), &known);
        }
        // What is built from itself is not followed, so what refers to it is not known.
        let again = (one.appends || refers_to_itself(one)) && scope.contains_key(&one.name);
        let value = if again { Err(Why::Unknown(one.name.clone())) } else { value.map(|text| text.text) };
        scope.insert(one.name.clone(), value);
    }
    resolved.elsewhere(script, &scope, &known, &in_block);
    resolved.conditional(script, &known, &in_block);
    for (name, line) in script.for_one_command.iter().filter(|(name, _)| known(name)) {
        resolved.add(name, *line, Err(Why::ForOneCommand), None);
    }
    resolved
}

/// The function the settings stand in; `None`: the top level.
fn block(script: &Script, known: impl Fn(&str) -> bool) -> Option<usize> {
    let count = |block: Option<usize>| {
        let names: BTreeSet<&str> = script
            .assignments
            .iter()
            .filter(|one| in_block(one, block) && one.under == Under::Nothing && known(&one.name))
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

fn in_block(one: &Assignment, block: Option<usize>) -> bool {
    !one.local && one.function == block && (block.is_some() || one.functions_before == 0)
}

fn is_top(one: &Assignment) -> bool {
    one.function.is_none() && one.functions_before == 0
}

impl Resolved {
    fn add(&mut self, name: &str, line: usize, value: Result<Text, Why>, function: Option<String>) {
        if self.settings.iter().all(|setting| setting.name != name) {
            self.settings.push(Setting { name: name.to_owned(), line, value, function });
        }
    }

    /// An assignment of the block, after those before it.
    fn take(&mut self, one: &Assignment, value: Result<Text, Why>, known: &impl Fn(&str) -> bool) {
        let Some(before) = self.settings.iter_mut().find(|setting| setting.name == one.name) else {
            self.add(&one.name, one.line, value, None);
            return;
        };
        let has_value = before.value.as_ref().is_ok_and(|text| !text.text.is_empty());
        let why = match &value {
            _ if one.appends || refers_to_itself(one) => "is built from the value before".to_owned(),
            Err(why) if has_value => why.to_string(),
            _ => {
                // The line of a default that changes nothing would only mislead.
                let same = matches!((&before.value, &value), (Ok(old), Ok(new)) if old.text == new.text);
                if !same {
                    (before.line, before.value) = (one.line, value);
                }
                return;
            }
        };
        if known(&one.name) {
            let (kept, line) = (before.line, one.line);
            self.passed_over.push(PassedOver { name: one.name.clone(), line, kept, why });
        }
    }

    /// Known variables that are not set in the block, but to one plain value elsewhere.
    fn elsewhere(
        &mut self,
        script: &Script,
        scope: &Scope,
        known: &impl Fn(&str) -> bool,
        in_block: &impl Fn(&Assignment) -> bool,
    ) {
        let mut found: Vec<Setting> = Vec::new();
        let others = script.assignments.iter().filter(|one| {
            let set = self.settings.iter().any(|setting| setting.name == one.name);
            known(&one.name) && !set && !in_block(one) && !one.local && !one.appends && one.under == Under::Nothing
        });
        for one in others.filter(|one| is_literal(&one.word) || is_own_default(one)) {
            let Ok(value) = evaluate(&one.word, scope) else { continue };
            if value.text.is_empty() {
                continue;
            }
            match found.iter_mut().find(|setting| setting.name == one.name) {
                Some(before) => {
                    if before.value.as_ref().is_ok_and(|text| text.text != value.text) {
                        before.value = Err(Why::Several);
                    }
                }
                None => found.push(Setting {
                    name: one.name.clone(),
                    line: one.line,
                    value: Ok(value),
                    function: one.function.and_then(|number| script.functions.get(number)).map(|function| function.name.clone()),
                }),
            }
        }
        self.settings.extend(found);
    }

    /// Known variables that have a plain value under a condition of the block.
    fn conditional(&mut self, script: &Script, known: &impl Fn(&str) -> bool, in_block: &impl Fn(&Assignment) -> bool) {
        let plain =
            |word: &Word| is_literal(word) && word.iter().any(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        for one in script.assignments.iter().filter(|one| in_block(one) && one.under == Under::Condition && known(&one.name)) {
            if !plain(&one.word) {
                continue;
            }
            match self.settings.iter().find(|setting| setting.name == one.name) {
                None => self.add(&one.name, one.line, Err(Why::Conditional), None),
                Some(Setting { line, value: Ok(_), .. }) => {
                    let (kept, name) = (*line, one.name.clone());
                    self.passed_over.push(PassedOver { name, line: one.line, kept, why: "stands under a condition".into() });
                }
                Some(_) => {}
            }
        }
    }
}

fn is_literal(word: &Word) -> bool {
    word.iter().all(|part| matches!(part, Part::Text(_)))
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
