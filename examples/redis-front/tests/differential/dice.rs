//! Random requests from a seed: few keys, so that they meet.

/// A small generator (`SplitMix64`).
pub(crate) struct Dice(u64);

const KEYS: [&str; 6] = ["a", "b", "c", "n", "s", "t"];
const VALUES: [&str; 9] = [
    "",
    "0",
    "1",
    "-5",
    "9223372036854775807",
    "x",
    "hello world",
    "01",
    "3.5",
];

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn key(&mut self) -> String {
        self.one(&KEYS).to_owned()
    }

    fn value(&mut self) -> String {
        self.one(&VALUES).to_owned()
    }

    /// A request; now and then one that is wrong.
    pub(crate) fn request(&mut self) -> Vec<Vec<u8>> {
        let words = match self.below(46) {
            0..=4 => vec!["SET".into(), self.key(), self.value()],
            5 => self.set(),
            6 => vec!["SET".into(), self.key(), self.value(), "GET".into()],
            7..=10 => vec!["GET".into(), self.key()],
            11 => self.many("DEL"),
            12 => self.many("EXISTS"),
            13 => self.many("MGET"),
            14 => {
                let mut words = vec!["MSET".to_owned()];
                for _ in 0..=self.below(5) {
                    words.extend([self.key(), self.value()]);
                }
                words
            }
            15..=17 => vec![self.one(&["INCR", "DECR"]).into(), self.key()],
            18..=19 => {
                let by = self.value();
                vec![self.one(&["INCRBY", "DECRBY"]).into(), self.key(), by]
            }
            20 => vec!["APPEND".into(), self.key(), self.value()],
            21 => vec![
                self.one(&["STRLEN", "TYPE", "SCARD", "PERSIST"]).into(),
                self.key(),
            ],
            22 => vec!["GETDEL".into(), self.key()],
            23..=25 => self.members("SADD"),
            26..=27 => self.members("SREM"),
            28 => vec!["SMEMBERS".into(), self.key()],
            29 => vec!["SISMEMBER".into(), self.key(), self.value()],
            30 => vec![self.one(&["TTL", "PTTL"]).into(), self.key()],
            31..=32 => self.expire(),
            33..=35 => vec!["MULTI".into()],
            36..=39 => vec!["EXEC".into()],
            40 => vec!["DISCARD".into()],
            41 => self.many("WATCH"),
            42 => vec!["UNWATCH".into()],
            43 => vec![self.one(&["NOPE", "GET", "SET", "INCRBY", "mget"]).into()],
            44 => vec![self.one(&["PING", "ECHO"]).into(), self.value()],
            _ => vec!["PING".into()],
        };
        words.into_iter().map(String::into_bytes).collect()
    }

    fn many(&mut self, command: &str) -> Vec<String> {
        let mut words = vec![command.to_owned()];
        for _ in 0..=self.below(3) {
            words.push(self.key());
        }
        words
    }

    fn members(&mut self, command: &str) -> Vec<String> {
        let mut words = vec![command.to_owned(), self.key()];
        for _ in 0..=self.below(3) {
            words.push(self.value());
        }
        words
    }

    fn set(&mut self) -> Vec<String> {
        let mut words = vec!["SET".to_owned(), self.key(), self.value()];
        for _ in 0..=self.below(2) {
            let option = [
                "NX",
                "xx",
                "GET",
                "KEEPTTL",
                "EX 100",
                "PX 100000",
                "EX 0",
                "EX x",
                "EXAT 1",
                "Y",
                "PX",
            ];
            words.extend(self.one(&option).split(' ').map(str::to_owned));
        }
        words
    }

    fn expire(&mut self) -> Vec<String> {
        let when = self.one(&["100", "200", "-1", "x", "9223372036854775807"]);
        let mut words = vec![
            self.one(&["EXPIRE", "EXPIRE", "PEXPIRE"]).to_owned(),
            self.key(),
        ];
        let when = if words[0] == "PEXPIRE" && when.len() == 3 {
            "100000"
        } else {
            when
        };
        words.push(when.to_owned());
        if self.below(2) == 0 {
            words.push(self.one(&["NX", "XX", "GT", "lt", "Z"]).to_owned());
        }
        words
    }
}
