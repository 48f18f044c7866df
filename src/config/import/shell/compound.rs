//! Compound commands: what they open and close, `case` with its patterns, `[[`.

use super::commands::{Command, Commands, Frame};
use super::{Done, Reader, Word};

impl Reader<'_> {
    pub(super) fn compound(&mut self, state: &mut Commands, frame: Frame) -> Done {
        state.function = None;
        self.push_frame(state, frame);
        self.begin(state);
        Ok(())
    }

    pub(super) fn compound_end(&mut self, state: &mut Commands, is: impl Fn(&Frame) -> bool) -> Done {
        self.close(state, is);
        // What follows on the line is a redirection or an operator.
        state.first = false;
        state.command = Some(Command::Runs);
        Ok(())
    }

    pub(super) fn case(&mut self, state: &mut Commands) -> Done {
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
    pub(super) fn case_pattern(&mut self, state: &mut Commands) -> Done {
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
    pub(super) fn test(&mut self, state: &mut Commands) -> Done {
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
}
