//! What every load has: keys, values, a histogram and one line of JSON.
use clap::Args;
use hdrhistogram::Histogram;

#[derive(Args, Clone)]
pub struct Common {
    #[arg(long, default_value_t = 1)]
    pub clients: usize,
    #[arg(long, default_value_t = 5.0)]
    pub secs: f64,
    #[arg(long, default_value_t = 100)]
    pub val: usize,
    #[arg(long, default_value_t = 100_000)]
    pub keyspace: u64,
}

pub fn hist() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()
}

pub struct Rng(pub u64);
impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub fn key(&mut self, space: u64) -> [u8; 16] {
        let mut k = *b"key:000000000000";
        let mut v = self.next() % space;
        for i in (4..16).rev() {
            k[i] = b'0' + (v % 10) as u8;
            v /= 10;
        }
        k
    }
}

fn cpu_s() -> f64 {
    unsafe {
        let mut r: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut r);
        (r.ru_utime.tv_sec + r.ru_stime.tv_sec) as f64
            + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) as f64 / 1e6
    }
}

pub fn report(ops: u64, wall: f64, h: &Histogram<u64>, extra: &str) {
    println!(
        "{{\"ops\":{ops},\"secs\":{wall:.3},\"ops_s\":{:.1},\"p50_us\":{},\"p99_us\":{},\"cli_cpu_s\":{:.2}{extra}}}",
        ops as f64 / wall,
        h.value_at_quantile(0.5),
        h.value_at_quantile(0.99),
        cpu_s()
    );
}
