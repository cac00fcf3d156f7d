//! From words to trees.

use std::collections::VecDeque;

use serde_json::Value;

use super::token::{Token, split};
use super::{Action, Comparison, Condition, Operand, Words};
use crate::failure::Failure;

/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 64;

struct Parser<'a> {
    tokens: VecDeque<Token>,
    words: &'a Words,
    depth: usize,
}

/// Reads a condition.
///
/// # Errors
/// `ValidationException`, with the word that does not fit.
pub(crate) fn parse_condition(text: &str, words: &Words) -> Result<Condition, Failure> {
    let mut parser = Parser::new(text, words)?;
    let condition = parser.either()?;
    parser.end()?;
    Ok(condition)
}

/// Reads an update.
///
/// # Errors
/// `ValidationException`, with the word that does not fit.
pub(crate) fn parse_update(text: &str, words: &Words) -> Result<Vec<Action>, Failure> {
    let mut parser = Parser::new(text, words)?;
    let mut actions: Vec<Action> = Vec::new();
    while !parser.tokens.is_empty() {
        if parser.keyword("SET") {
            parser.list(&mut actions, Parser::set)?;
        } else if parser.keyword("REMOVE") {
            parser.list(&mut actions, |it| Ok(Action::Remove(it.attribute()?)))?;
        } else if parser.keyword("ADD") {
            parser.list(&mut actions, |it| {
                Ok(Action::Add(it.attribute()?, it.value()?))
            })?;
        } else {
            return Err(parser.unexpected());
        }
    }
    let mut names: Vec<&str> = actions.iter().map(Action::attribute).collect();
    names.sort_unstable();
    if actions.is_empty() || names.windows(2).any(|pair| pair.first() == pair.last()) {
        let message =
            "Invalid UpdateExpression: it is empty, or two document paths overlap with each other";
        return Err(Failure::invalid(message));
    }
    Ok(actions)
}

impl<'a> Parser<'a> {
    fn new(text: &str, words: &'a Words) -> Result<Self, Failure> {
        let tokens = split(text)?.into();
        let depth = 0;
        Ok(Self {
            tokens,
            words,
            depth,
        })
    }

    fn unexpected(&self) -> Failure {
        let found = match self.tokens.front() {
            Some(Token::Word(text) | Token::Name(text) | Token::Value(text)) => text,
            Some(Token::Symbol(text)) => *text,
            None => "<EOF>",
        };
        Failure::invalid(format!(
            "Invalid expression: Syntax error; token: \"{found}\""
        ))
    }

    fn end(&self) -> Result<(), Failure> {
        if self.tokens.is_empty() {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let is_it = |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        let found = self.tokens.front().is_some_and(is_it);
        if found {
            self.tokens.pop_front();
        }
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.tokens.front(), Some(Token::Symbol(it)) if *it == symbol);
        if found {
            self.tokens.pop_front();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Failure> {
        if self.symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn list(
        &mut self,
        into: &mut Vec<Action>,
        read: impl Fn(&mut Self) -> Result<Action, Failure>,
    ) -> Result<(), Failure> {
        loop {
            into.push(read(self)?);
            if !self.symbol(",") {
                return Ok(());
            }
        }
    }

    fn set(&mut self) -> Result<Action, Failure> {
        let name = self.attribute()?;
        self.expect("=")?;
        let first = self.operand()?;
        let value = if self.symbol("+") {
            Operand::Plus(Box::new(first), Box::new(self.operand()?))
        } else if self.symbol("-") {
            Operand::Minus(Box::new(first), Box::new(self.operand()?))
        } else {
            first
        };
        Ok(Action::Set(name, value))
    }

    fn either(&mut self) -> Result<Condition, Failure> {
        let mut condition = self.both()?;
        while self.keyword("OR") {
            condition = Condition::Or(Box::new(condition), Box::new(self.both()?));
        }
        Ok(condition)
    }

    fn both(&mut self) -> Result<Condition, Failure> {
        let mut condition = self.negated()?;
        while self.keyword("AND") {
            condition = Condition::And(Box::new(condition), Box::new(self.negated()?));
        }
        Ok(condition)
    }

    fn negated(&mut self) -> Result<Condition, Failure> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Failure::invalid(
                "Invalid expression: it is nested too deeply",
            ));
        }
        let condition = if self.keyword("NOT") {
            Condition::Not(Box::new(self.negated()?))
        } else if self.symbol("(") {
            let inner = self.either()?;
            self.expect(")")?;
            inner
        } else {
            self.simple()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn simple(&mut self) -> Result<Condition, Failure> {
        if self.function("attribute_exists") {
            let name = self.attribute()?;
            self.expect(")")?;
            return Ok(Condition::Exists(name));
        }
        if self.function("attribute_not_exists") {
            let name = self.attribute()?;
            self.expect(")")?;
            return Ok(Condition::NotExists(name));
        }
        if self.function("begins_with") {
            let whole = self.operand()?;
            self.expect(",")?;
            let start = self.operand()?;
            self.expect(")")?;
            return Ok(Condition::BeginsWith(whole, start));
        }
        let left = self.operand()?;
        if self.keyword("BETWEEN") {
            let low = self.operand()?;
            if !self.keyword("AND") {
                return Err(self.unexpected());
            }
            return Ok(Condition::Between(left, low, self.operand()?));
        }
        let comparison = self.comparison()?;
        Ok(Condition::Compare(left, comparison, self.operand()?))
    }

    fn comparison(&mut self) -> Result<Comparison, Failure> {
        let comparison = match self.tokens.front() {
            Some(Token::Symbol("=")) => Comparison::Equal,
            Some(Token::Symbol("<>")) => Comparison::Unequal,
            Some(Token::Symbol("<")) => Comparison::Less,
            Some(Token::Symbol("<=")) => Comparison::LessOrEqual,
            Some(Token::Symbol(">")) => Comparison::Greater,
            Some(Token::Symbol(">=")) => Comparison::GreaterOrEqual,
            _ => return Err(self.unexpected()),
        };
        self.tokens.pop_front();
        Ok(comparison)
    }

    /// A function's name and its opening parenthesis.
    fn function(&mut self, name: &str) -> bool {
        let mut next = self.tokens.iter();
        let found = matches!(next.next(), Some(Token::Word(word)) if word == name)
            && matches!(next.next(), Some(Token::Symbol("(")));
        if found {
            self.tokens.drain(..2);
        }
        found
    }

    fn operand(&mut self) -> Result<Operand, Failure> {
        if self.function("if_not_exists") {
            let name = self.attribute()?;
            self.expect(",")?;
            let value = self.operand()?;
            self.expect(")")?;
            return Ok(Operand::IfNotExists(name, Box::new(value)));
        }
        if matches!(self.tokens.front(), Some(Token::Value(_))) {
            return Ok(Operand::Value(self.value()?));
        }
        Ok(Operand::Attribute(self.attribute()?))
    }

    fn attribute(&mut self) -> Result<String, Failure> {
        match self.tokens.front() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.tokens.pop_front();
                Ok(word)
            }
            Some(Token::Name(alias)) => {
                let name = self.words.names.get(alias).and_then(Value::as_str);
                let name = name.map(str::to_owned).ok_or_else(|| {
                    Failure::invalid(format!(
                        "Invalid expression: An expression attribute name used in the document path \
                         is not defined; attribute name: {alias}"
                    ))
                })?;
                self.tokens.pop_front();
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn value(&mut self) -> Result<Value, Failure> {
        let Some(Token::Value(alias)) = self.tokens.front() else {
            return Err(self.unexpected());
        };
        let value = self.words.values.get(alias).cloned().ok_or_else(|| {
            Failure::invalid(format!(
                "Invalid expression: An expression attribute value used in expression is not \
                 defined; attribute value: {alias}"
            ))
        })?;
        self.tokens.pop_front();
        Ok(value)
    }
}
