//! What do the other means of waiting for each other cost?

use crate::measure::*;
use crate::spawn::join_all;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, RwLock, Semaphore};
use tokio::task::yield_now;

pub const WORKLOADS: &[Workload] = &[
    workload!("rwmutex_read", "ns/op each", rwmutex_read),
    workload!("cond_signal", "ns/op", cond_signal),
    workload!("semaphore", "ns/op", semaphore),
];

/// Readers of one lock, one per proc, and nobody who writes while they read.
async fn rwmutex_read(r: RunState) -> RunState {
    let each = r.count(1_000_000, 100);
    let guarded = Arc::new(RwLock::new(0));
    let ns = median_ns!(r, 7, {
        let value = {
            let mut held = guarded.write().await;
            *held += 1;
            *held
        };
        let readers: Vec<_> = (0..r.procs)
            .map(|_| {
                let guarded = guarded.clone();
                tokio::spawn(async move {
                    let mut sum = 0;
                    for _ in 0..each {
                        sum += *guarded.read().await;
                    }
                    sum
                })
            })
            .collect();
        for reader in readers {
            let sum: i64 = reader.await.expect("a reader failed");
            require!(sum == each * value, "a reader's sum is {sum}");
        }
    });
    r.report(ns / each as f64)
}

/// Two tasks hand a turn to each other. Tokio has no condition variable; state under a lock and a Notify for each who
/// waits for it is its idiom. An op is one turn: take the lock, wait until it is ours, pass it on, signal.
async fn cond_signal(r: RunState) -> RunState {
    struct Game {
        state: Mutex<(usize, i64)>, // whose turn, how many so far
        changed: [Apart<Notify>; 2],
    }
    impl Game {
        fn try_turn(&self, me: usize) -> bool {
            let mut state = self.state.lock().expect("poisoned");
            if state.0 != me {
                return false;
            }
            *state = (1 - me, state.1 + 1);
            true
        }
    }
    let each = r.count(100_000, 100);
    let ns = median_ns!(r, 7, {
        let game = Arc::new(Game { state: Mutex::new((0, 0)), changed: Default::default() });
        let players = (0..2).map(|me| {
            let game = game.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    while !game.try_turn(me) {
                        game.changed[me].0.notified().await;
                    }
                    game.changed[1 - me].0.notify_one();
                }
            })
        });
        join_all(players.collect()).await;
        let turns = game.state.lock().expect("poisoned").1;
        require!(turns == 2 * each, "{turns} turns");
    });
    r.report(ns / (2 * each) as f64)
}

/// Eight tasks share two permits and give way while they hold one, so that the others have to wait. An op is an
/// acquire, a yield and a release.
async fn semaphore(r: RunState) -> RunState {
    const CROWD: i64 = 8;
    const PERMITS: i64 = 2;
    let each = r.count(20_000, 100);
    let ns = median_ns!(r, 7, {
        let permits = Arc::new(Semaphore::new(PERMITS as usize));
        let holders = Arc::new(AtomicI64::new(0));
        let excess = Arc::new(AtomicI64::new(0));
        let crowd = (0..CROWD).map(|_| {
            let (permits, holders, excess) = (permits.clone(), holders.clone(), excess.clone());
            tokio::spawn(async move {
                for _ in 0..each {
                    let held = permits.acquire().await.expect("closed");
                    if holders.fetch_add(1, SeqCst) >= PERMITS {
                        excess.fetch_add(1, SeqCst);
                    }
                    yield_now().await;
                    holders.fetch_sub(1, SeqCst);
                    drop(held);
                }
            })
        });
        join_all(crowd.collect()).await;
        let excess = excess.load(SeqCst);
        require!(excess == 0 && holders.load(SeqCst) == 0, "{excess} times too many held a permit");
    });
    r.report(ns / (CROWD * each) as f64)
}
