//! Words: quotes, escapes, expansions. Nothing is run.

use super::{Done, Otherwise, Part, ReadError, Reader, Unread, Word, name};

impl Reader<'_> {
    /// `(a b c)`.
    pub(super) fn array(&mut self) -> Result<Word, ReadError> {
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
    pub(super) fn value(&mut self) -> Result<Word, ReadError> {
        if self.starts("~") {
            self.word()?;
            return Ok(vec![Part::Unread(Unread::Home)]);
        }
        self.word()
    }

    pub(super) fn word(&mut self) -> Result<Word, ReadError> {
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
    pub(super) fn piece(&mut self, word: &mut Word, quoted: bool) -> Done {
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

    pub(super) fn single(&mut self, word: &mut Word) -> Done {
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

    pub(super) fn double(&mut self, word: &mut Word) -> Done {
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

    pub(super) fn backticks(&mut self, word: &mut Word) -> Done {
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

    pub(super) fn dollar(&mut self, word: &mut Word, quoted: bool) -> Done {
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
    pub(super) fn parentheses(&mut self) -> Done {
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
    pub(super) fn braces(&mut self, word: &mut Word, quoted: bool) -> Done {
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
    pub(super) fn escaped(&mut self, word: &mut Word) -> Done {
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
    pub(super) fn code(&mut self, word: &mut Word, radix: u32, most: usize, mut number: u32) {
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(radix)) else { break };
            number = number.saturating_mul(radix).saturating_add(digit);
            self.bump();
        }
        push(word, char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
}

pub(super) fn push(word: &mut Word, c: char) {
    push_text(word, c.encode_utf8(&mut [0; 4]));
}

pub(super) fn push_text(word: &mut Word, text: &str) {
    if let Some(Part::Text(before)) = word.last_mut() {
        before.push_str(text);
    } else {
        word.push(Part::Text(text.to_owned()));
    }
}
