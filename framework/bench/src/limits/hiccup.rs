//! How long the machine itself holds a thread up, seen by a thread that does next to nothing but
//! read at random in memory of its own, as an engine does. While its host fetches a page, a guest
//! pays with CPU time of the thread that wanted it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Between two pieces of work.
const PAUSE: Duration = Duration::from_millis(2);

/// Memory that is read in.
const BYTES: usize = 1 << 30;
const PAGE: usize = 4096;

/// Pages that a piece of work reads: some tens of microseconds on a machine that has them at hand.
const PAGES: usize = 256;

/// The longest that one piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hiccup {
    pub wall_ms: f64,
    /// A guest's clock of CPU time goes on while its host runs others or fetches memory.
    pub cpu_ms: f64,
}

/// Does a small piece of work now and then, and notes how long it took.
#[derive(Debug)]
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Hiccup>,
}

impl Probe {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || watch(&stop)
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Hiccup {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_default()
    }
}

fn watch(stop: &AtomicBool) -> Hiccup {
    let memory = vec![1_u8; BYTES];
    let mut longest = Hiccup::default();
    let mut state = 1_usize;
    let mut sum = 0_usize;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(PAUSE);
        let (wall, cpu) = (Instant::now(), thread_cpu());
        for _ in 0..PAGES {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let page = (state >> 33) % (BYTES / PAGE);
            sum += memory.get(page * PAGE).map_or(0, |&byte| byte.into());
        }
        std::hint::black_box(sum);
        longest.wall_ms = longest.wall_ms.max(wall.elapsed().as_secs_f64() * 1e3);
        let cpu = thread_cpu().saturating_sub(cpu);
        longest.cpu_ms = longest.cpu_ms.max(cpu.as_secs_f64() * 1e3);
    }
    longest
}

fn thread_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
