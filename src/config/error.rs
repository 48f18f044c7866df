//! What is wrong with a configuration: file, line, column, key, expectation.

use std::fmt;
use std::path::PathBuf;

/// One thing wrong at one place of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file it stands in; `None` when it is about a key that stands nowhere.
    pub file: Option<PathBuf>,
    /// Line, counted from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, counted from 1; 0 when the line as a whole is meant.
    pub column: usize,
    /// The key it is about, dotted; empty when it is about no key.
    pub key: String,
    /// What is wrong and what was expected, one sentence. Never holds a secret's value.
    pub message: String,
    /// What to do, when there is something to say beyond the message.
    pub advice: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if self.line > 0 {
                write!(f, ":{}", self.line)?;
                if self.column > 0 {
                    write!(f, ":{}", self.column)?;
                }
            }
            write!(f, ": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.message)?;
        if let Some(advice) = &self.advice {
            write!(f, " ({advice})")?;
        }
        Ok(())
    }
}

/// A configuration that was refused, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.summary())]
pub struct ConfigError {
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// An error about a file as a whole.
    #[must_use]
    pub fn file(file: impl Into<PathBuf>, message: impl Into<String>, advice: Option<String>) -> Self {
        Self {
            problems: vec![Problem {
                file: Some(file.into()),
                line: 0,
                column: 0,
                key: String::new(),
                message: message.into(),
                advice,
            }],
        }
    }

    /// The first problem and the number of the others, on one line.
    #[must_use]
    pub fn summary(&self) -> String {
        match self.problems.as_slice() {
            [] => "the configuration was refused".into(),
            [one] => one.to_string(),
            [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        }
    }
}
