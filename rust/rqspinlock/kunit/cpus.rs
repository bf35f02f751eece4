// SPDX-License-Identifier: GPL-2.0

//! Tests of the lock by threads on up to four CPUs.

use crate::{
    fixtures::{
        ensure,
        together, //
    },
    percpu::PossibleCpu,
    rqspinlock::{
        fixtures::{
            data_of,
            error_alone,
            State, //
        },
        LockError,
        Nesting,
        RqSpinLock, //
    },
};
use core::{
    hint::spin_loop,
    ptr, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// How long the CPU that is next in turn waits.
const TIMEOUT: Delta = Delta::from_millis(250);

/// How long threads wait for each other with interrupts disabled: less than a lockup.
const PATIENCE: Delta = Delta::from_millis(10_000);

const THREADS: usize = 4;

/// Calls `f` with the data of `lock`, retrying after timeouts, which a slow machine causes. Fails
/// if the lock seems never to be released.
fn lock_at_last<T, R>(lock: &RqSpinLock<T>, f: impl FnOnce(&mut T) -> R) -> Result<R> {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        match lock.lock_irqsave(&mut Nesting::new()) {
            Ok(mut guard) => return Ok(f(&mut guard)),
            Err(LockError::TimedOut) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(ETIMEDOUT)
}

/// Binds thread number `thread` to a CPU of its own, if there are enough.
fn spread(thread: u32) -> Result {
    let number = (thread as usize).checked_rem(PossibleCpu::online().count());
    let cpu = number.and_then(|number| PossibleCpu::online().nth(number));
    cpu.ok_or(ENODEV)?.enter()
}

/// Fails on a machine with one CPU, where a spinning thread would wait for another one of its CPU.
fn need_two_cpus() -> Result {
    if PossibleCpu::online().count() >= 2 {
        Ok(())
    } else {
        Err(ENODEV)
    }
}

/// Spins until `holds` returns true.
///
/// Context: any.
fn spin_until(holds: impl Fn() -> bool) -> Result {
    let start = Instant::<Monotonic>::now();
    while !holds() {
        if start.elapsed() > PATIENCE {
            return Err(ETIMEDOUT);
        }
        spin_loop();
    }
    Ok(())
}

/// A barrier that can be used repeatedly.
struct Barrier {
    threads: u32,
    arrived: Atomic<u32>,
}

impl Barrier {
    fn of(threads: u32) -> Self {
        Self {
            threads,
            arrived: Atomic::new(0),
        }
    }

    /// Waits for all threads. An error if one does not arrive.
    fn wait(&self) -> Result {
        // ORDERING: Release of what this thread did before the barrier. Pairs with the Acquire load
        // below, of the other threads.
        let round = self.arrived.fetch_add(1, Release) / self.threads;
        // ORDERING: Pairs with the Release above, of each other thread.
        spin_until(|| self.arrived.load(Acquire) >= (round + 1) * self.threads)
    }
}

/// The example of [`RqSpinLock`].
fn transfer(from: &RqSpinLock<u64>, to: &RqSpinLock<u64>, amount: u64) -> Result {
    let mut nesting = Nesting::new();
    let mut from = from.lock_irqsave(&mut nesting)?;
    let (from, nesting) = from.split();
    let mut to = to.lock_irqsave(nesting)?;
    *from = from.checked_sub(amount).ok_or(ERANGE)?;
    *to = to.wrapping_add(amount);
    Ok(())
}

#[kunit_tests(bpf_percpu_rqspinlock_cpus)]
mod tests {
    use super::*;

    #[test]
    fn locks_of_each_other() -> Result {
        const ROUNDS: u32 = 16;
        need_two_cpus()?;
        let locks = [RqSpinLock::new(0u32), RqSpinLock::new(0)];
        let barrier = Barrier::of(2);
        let (deadlocks, took) = (Atomic::new(0u32), Atomic::new(0u32));
        together(2, |thread| {
            spread(thread)?;
            let (own, others) = (&locks[thread as usize], &locks[1 - thread as usize]);
            for _ in 0..ROUNDS {
                barrier.wait()?;
                let mut nesting = Nesting::new();
                let mut guard = own.lock_irqsave(&mut nesting)?;
                let (data, nesting) = guard.split();
                barrier.wait()?;
                match others.lock_irqsave(nesting) {
                    Ok(mut others) => {
                        *others += 1;
                        took.fetch_add(1, Relaxed);
                    }
                    Err(LockError::Deadlock) => {
                        deadlocks.fetch_add(1, Relaxed);
                    }
                    // A slow machine may check for deadlocks too late.
                    Err(LockError::TimedOut) => (),
                }
                *data += 1000;
                let inside = State::now();
                drop(guard);
                ensure(inside == State::with(1) && State::now() == State::with(0))?;
            }
            Ok(())
        })?;
        let (deadlocks, took) = (deadlocks.load(Relaxed), took.load(Relaxed));
        // A thread that got both locks had waited for the other thread to give up.
        assert!(took <= ROUNDS);
        assert!(deadlocks != 0);
        let mut sum = 0;
        for lock in &locks {
            sum += data_of(lock)?;
        }
        assert_eq!(sum, 2 * 1000 * ROUNDS + took);
        Ok(())
    }

    /// Holds a lock until `waiters` other threads have given up waiting for it.
    fn hold_against(waiters: u32) -> Result {
        need_two_cpus()?;
        let lock = RqSpinLock::new(0);
        let barrier = Barrier::of(waiters + 1);
        let (held, gave_up) = (Atomic::new(false), Atomic::new(0));
        together(waiters as usize + 1, |thread| {
            spread(thread)?;
            // A CPU whose interrupts are disabled does not run another thread.
            barrier.wait()?;
            if thread == 0 {
                let mut nesting = Nesting::new();
                let mut guard = lock.lock_irqsave(&mut nesting)?;
                *guard += 1;
                // ORDERING: Pairs with the Acquire load of the waiters: the lock is held by then.
                held.store(true, Release);
                // ORDERING: Pairs with the Release addition of each waiter.
                let outcome = spin_until(|| gave_up.load(Acquire) == waiters);
                *guard += 1;
                drop(guard);
                return outcome;
            }
            // ORDERING: Pairs with the Release store of the holder.
            spin_until(|| held.load(Acquire))?;
            let start = Instant::<Monotonic>::now();
            let error = error_alone(&lock);
            let waited = start.elapsed();
            let state = State::now();
            // ORDERING: Pairs with the Acquire load of the holder, which then releases the lock.
            gave_up.fetch_add(1, Release);
            ensure(error == Some(LockError::TimedOut))?;
            // Waiters in the queue give up with the first one.
            ensure(waiters > 1 || waited >= TIMEOUT)?;
            ensure(state == State::with(0))
        })?;
        // The lock still works, on each CPU.
        together(THREADS, |thread| {
            spread(thread)?;
            lock_at_last(&lock, |data| *data += 1)
        })?;
        assert_eq!(data_of(&lock)?, 2 + THREADS as u32);
        Ok(())
    }

    #[test]
    fn held_too_long() -> Result {
        hold_against(1)
    }

    #[test]
    fn held_too_long_for_a_queue() -> Result {
        hold_against(PossibleCpu::online().count().clamp(2, THREADS) as u32 - 1)
    }

    /// How often each thread adds one.
    const ADDS: u32 = 500;

    #[test]
    fn one_at_a_time() -> Result {
        let sum = RqSpinLock::new(0u64);
        together(THREADS, |thread| {
            spread(thread)?;
            for _ in 0..ADDS {
                lock_at_last(&sum, |sum| {
                    // As slow as `without_the_lock()`.
                    //
                    // SAFETY: `sum` is a reference to the data, so both accesses are valid.
                    unsafe {
                        let seen = ptr::read_volatile(sum);
                        spin_loop();
                        ptr::write_volatile(sum, seen + 1);
                    }
                })?;
            }
            ensure(State::now() == State::with(0))
        })?;
        assert_eq!(data_of(&sum)?, THREADS as u64 * u64::from(ADDS));
        Ok(())
    }

    #[test]
    fn without_the_lock() -> Result {
        // Sooner or later a thread gets between another one's load and store.
        for _ in 0..100 {
            let sum = Atomic::new(0u64);
            together(THREADS, |thread| {
                spread(thread)?;
                for _ in 0..ADDS {
                    let seen = sum.load(Relaxed);
                    spin_loop();
                    sum.store(seen + 1, Relaxed);
                }
                Ok(())
            })?;
            if sum.load(Relaxed) < THREADS as u64 * u64::from(ADDS) {
                return Ok(());
            }
        }
        Err(EIO)
    }

    #[test]
    fn transfers() -> Result {
        let accounts = [100, 200, 300, 400].map(RqSpinLock::new);
        let count = Atomic::new(0u64);
        together(THREADS, |thread| {
            spread(thread)?;
            for round in 0..50 {
                let (from, to) = (thread + round, thread * 2 + round / 2);
                let (from, to) = (from as usize % 4, to as usize % 4);
                match transfer(&accounts[from], &accounts[to], 7) {
                    Ok(()) => {
                        count.fetch_add(1, Relaxed);
                        ensure(from != to)?;
                    }
                    Err(EDEADLK | ETIMEDOUT | ERANGE) => (),
                    Err(error) => return Err(error),
                }
            }
            ensure(State::now() == State::with(0))
        })?;
        assert!(count.load(Relaxed) != 0);
        let mut sum = 0;
        for account in &accounts {
            sum += data_of(account)?;
        }
        assert_eq!(sum, 1000);
        Ok(())
    }
}
