//! The words of an expression.

use crate::failure::Failure;

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An attribute's name, a function or a keyword.
    Word(String),
    /// `#name`.
    Name(String),
    /// `:value`.
    Value(String),
    Symbol(&'static str),
}

/// Longest first.
const SYMBOLS: [&str; 11] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "+", "-"];

/// Longest expression.
const EXPRESSION_MAX: usize = 4096;

pub(super) fn split(text: &str) -> Result<Vec<Token>, Failure> {
    if text.len() > EXPRESSION_MAX {
        return Err(Failure::invalid(
            "Expression size has exceeded the maximum allowed size",
        ));
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let (token, len) = if let Some(symbol) = SYMBOLS.iter().find(|it| rest.starts_with(**it)) {
            (Token::Symbol(symbol), symbol.len())
        } else {
            let head = usize::from(first == '#' || first == ':');
            let body = rest.get(head..).unwrap_or_default();
            let len = head + body.find(|c| !is_word(c)).unwrap_or(body.len());
            let word = rest.get(..len).unwrap_or_default().to_owned();
            if len == head {
                return Err(Failure::invalid(format!(
                    "Invalid expression: Syntax error; token: \"{first}\" (nested attributes are not supported)"
                )));
            }
            let token = match first {
                '#' => Token::Name(word),
                ':' => Token::Value(word),
                _ => Token::Word(word),
            };
            (token, len)
        };
        tokens.push(token);
        rest = rest.get(len..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}
