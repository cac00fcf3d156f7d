//! The table of commands: names, numbers of arguments, keys, and where each is carried out.

use crate::families::{Run, counters, expiry, keys, sets, strings};

/// Where a command is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// On values of its keys that were read for it; changes nothing.
    Read(Run),
    /// At the leader, inside the write pipeline.
    Write(Run),
    /// In the connection; needs no key. May stand in a transaction when it has a function.
    Local(Option<Run>),
    /// In the connection, when everything before it is done.
    Alone,
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name, in small letters.
    pub name: &'static str,
    /// How many arguments it takes, its name included; negative: at least that many.
    pub arity: i32,
    /// Its first key, its last one (negative: counted from the end), and the distance between two.
    pub keys: (usize, isize, usize),
    /// Where it is carried out.
    pub place: Place,
}

impl Command {
    const fn new(
        name: &'static str,
        arity: i32,
        keys: (usize, isize, usize),
        place: Place,
    ) -> Self {
        Self {
            name,
            arity,
            keys,
            place,
        }
    }

    /// Whether it takes this many arguments, its name included.
    pub fn takes(&self, count: usize) -> bool {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        if self.arity < 0 {
            count >= -self.arity
        } else {
            count == self.arity
        }
    }

    /// The keys among its arguments.
    pub fn keys_of<'s, 'a>(
        &self,
        args: &'s [&'a [u8]],
    ) -> impl Iterator<Item = &'a [u8]> + use<'s, 'a> {
        let (first, last, step) = self.keys;
        let end = if last < 0 {
            args.len().saturating_sub(last.unsigned_abs() - 1)
        } else {
            last.unsigned_abs() + 1
        };
        let keys = if first == 0 { 0..0 } else { first..end };
        let keys = args.get(keys).unwrap_or_default();
        keys.iter().copied().step_by(step.max(1))
    }

    /// What it does to keys, where it may stand in a transaction.
    pub const fn run(&self) -> Option<Run> {
        match self.place {
            Read(run) | Write(run) | Local(Some(run)) => Some(run),
            Local(None) | Alone => None,
        }
    }
}

const NONE: (usize, isize, usize) = (0, 0, 0);
const ONE: (usize, isize, usize) = (1, 1, 1);
const ALL: (usize, isize, usize) = (1, -1, 1);

use Place::{Alone, Local, Read, Write};

/// Every command, by name.
pub const COMMANDS: &[Command] = &[
    Command::new("append", 3, ONE, Write(strings::append)),
    Command::new("client", -2, NONE, Local(None)),
    Command::new("command", -1, NONE, Local(None)),
    Command::new("config", -2, NONE, Local(None)),
    Command::new("dbsize", 1, NONE, Alone),
    Command::new("decr", 2, ONE, Write(counters::decr)),
    Command::new("decrby", 3, ONE, Write(counters::decrby)),
    Command::new("del", -2, ALL, Write(keys::del)),
    Command::new("discard", 1, NONE, Local(None)),
    Command::new("echo", 2, NONE, Local(Some(keys::echo))),
    Command::new("exec", 1, NONE, Local(None)),
    Command::new("exists", -2, ALL, Read(keys::exists)),
    Command::new("expire", -3, ONE, Write(expiry::expire)),
    Command::new("flushdb", -1, NONE, Alone),
    Command::new("get", 2, ONE, Read(strings::get)),
    Command::new("getdel", 2, ONE, Write(strings::getdel)),
    Command::new("hello", -1, NONE, Alone),
    Command::new("incr", 2, ONE, Write(counters::incr)),
    Command::new("incrby", 3, ONE, Write(counters::incrby)),
    Command::new("info", -1, NONE, Alone),
    Command::new("keys", 2, NONE, Alone),
    Command::new("mget", -2, ALL, Read(strings::mget)),
    Command::new("mset", -3, (1, -1, 2), Write(strings::mset)),
    Command::new("multi", 1, NONE, Local(None)),
    Command::new("persist", 2, ONE, Write(expiry::persist)),
    Command::new("pexpire", -3, ONE, Write(expiry::pexpire)),
    Command::new("ping", -1, NONE, Local(Some(keys::ping))),
    Command::new("pttl", 2, ONE, Read(expiry::pttl)),
    Command::new("quit", -1, NONE, Local(None)),
    Command::new("readonly", 1, NONE, Alone),
    Command::new("readwrite", 1, NONE, Alone),
    Command::new("reset", 1, NONE, Alone),
    Command::new("sadd", -3, ONE, Write(sets::sadd)),
    Command::new("scan", -2, NONE, Alone),
    Command::new("scard", 2, ONE, Read(sets::scard)),
    Command::new("select", 2, NONE, Alone),
    Command::new("set", -3, ONE, Write(strings::set)),
    Command::new("sismember", 3, ONE, Read(sets::sismember)),
    Command::new("smembers", 2, ONE, Read(sets::smembers)),
    Command::new("srem", -3, ONE, Write(sets::srem)),
    Command::new("strlen", 2, ONE, Read(strings::strlen)),
    Command::new("ttl", 2, ONE, Read(expiry::ttl)),
    Command::new("type", 2, ONE, Read(keys::kind)),
    Command::new("unwatch", 1, NONE, Local(Some(keys::unwatch))),
    Command::new("wait", 3, NONE, Alone),
    Command::new("watch", -2, ALL, Alone),
];

/// Longest name of a command.
const NAME_MAX: usize = 16;

/// A command by name, in any case.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    let mut small = [0; NAME_MAX];
    let small = small.get_mut(..name.len())?;
    small.copy_from_slice(name);
    small.make_ascii_lowercase();
    let found = COMMANDS.binary_search_by(|command| command.name.as_bytes().cmp(small));
    COMMANDS.get(found.ok()?)
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, find};

    #[test]
    fn the_table_is_sorted_and_found_in_any_case() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        for command in COMMANDS {
            let name = command.name.to_uppercase();
            assert_eq!(find(name.as_bytes()).map(|c| c.name), Some(command.name));
        }
        assert!(find(b"").is_none() && find(&[b'x'; 100]).is_none());
    }

    #[test]
    fn keys_stand_where_the_table_says() {
        let keys = |args: &[&'static str]| {
            let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
            let command = find(args[0]).unwrap();
            let keys = command.keys_of(&args).map(String::from_utf8_lossy);
            keys.map(String::from).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys(&["set", "a", "1", "ex", "5"]), "a");
        assert_eq!(keys(&["mset", "a", "1", "b", "2"]), "a b");
        assert_eq!(keys(&["del", "a", "b", "c"]), "a b c");
        assert_eq!(keys(&["ping", "a"]), "");
    }
}
