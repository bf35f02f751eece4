// SPDX-License-Identifier: GPL-2.0

//! Tests of the lock on one CPU; those on several CPUs are in [`cpus`].
//!
//! Nothing is asserted while a lock is held: a failed assertion ends the thread.

mod cpus;

use super::{
    fixtures::{
        data_of,
        error,
        error_alone,
        State, //
    },
    LockError,
    Nesting,
    RqSpinLock,
    RqSpinLockGuard, //
};
use crate::bindings::{
    bpf_percpu_helper_init_irq_work,
    bpf_percpu_helper_res_spin_unlock_irqrestore, //
};
use core::{
    array,
    marker::PhantomData,
    mem, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::Opaque,
};

/// Acquires all of `locks`, each inside of the one before, and returns what `innermost` does.
fn with_all<R>(
    locks: &[RqSpinLock<u32>],
    nesting: &mut Nesting,
    innermost: impl FnOnce(&mut Nesting) -> R,
) -> Result<R, LockError> {
    let Some((first, rest)) = locks.split_first() else {
        return Ok(innermost(nesting));
    };
    let mut guard = first.lock_irqsave(nesting)?;
    let (data, nesting) = guard.split();
    *data += 1;
    with_all(rest, nesting, innermost)
}

/// Tells whether a type is `Send`: if it is not, `IS_SEND` is the constant of the trait.
struct Probe<T>(PhantomData<T>);

impl<T: Send> Probe<T> {
    const IS_SEND: bool = true;
}

trait NotSend {
    const IS_SEND: bool = false;
}

impl<T> NotSend for Probe<T> {}

static STATIC: RqSpinLock<u32> = RqSpinLock::new(5);

#[kunit_tests(bpf_percpu_rqspinlock)]
mod tests {
    use super::*;

    #[test]
    fn guards_have_the_data() -> Result {
        let lock = RqSpinLock::new([1u64, 2]);
        let mut nesting = Nesting::new();
        let mut guard = lock.lock_irqsave(&mut nesting)?;
        guard[0] += 10;
        guard.split().0[1] += 20;
        let seen = *guard;
        drop(guard);
        assert_eq!(seen, [11, 22]);
        // A lock that is not held may be moved.
        let moved = KBox::new(lock, GFP_KERNEL)?;
        assert_eq!(data_of(&moved)?, [11, 22]);
        let before = mem::replace(&mut *STATIC.lock_irqsave(&mut nesting)?, 6);
        let after = mem::replace(&mut *STATIC.lock_irqsave(&mut nesting)?, 5);
        assert_eq!((before, after), (5, 6));
        Ok(())
    }

    #[test]
    fn which_types_are_send() {
        assert!(Probe::<RqSpinLock<u64>>::IS_SEND);
        assert!(!Probe::<RqSpinLock<*mut u64>>::IS_SEND);
        assert!(!Probe::<Nesting>::IS_SEND);
        assert!(!Probe::<&mut Nesting>::IS_SEND);
        assert!(!Probe::<RqSpinLockGuard<'_, u64>>::IS_SEND);
    }

    #[test]
    fn interrupts_and_preemption() -> Result {
        let (outer, inner) = (RqSpinLock::new(()), RqSpinLock::new(()));
        let mut states = [State::now(); 5];
        let mut nesting = Nesting::new();
        for _ in 0..3 {
            {
                let mut outer = outer.lock_irqsave(&mut nesting)?;
                states[1] = State::now();
                {
                    let _inner = inner.lock_irqsave(outer.split().1)?;
                    states[2] = State::now();
                }
                states[3] = State::now();
            }
            states[4] = State::now();
            assert!(states == [0, 1, 2, 1, 0].map(State::with));
        }
        Ok(())
    }

    static DATA: RqSpinLock<u32> = RqSpinLock::new(0);
    static INTERRUPTS: Atomic<u32> = Atomic::new(0);

    /// Adds one to [`DATA`] and to [`INTERRUPTS`], and to the latter another 100 for each failed
    /// check.
    ///
    /// # Safety
    ///
    /// Always safe to call.
    unsafe extern "C" fn interrupt(_work: *mut bindings::irq_work) {
        let before = State::now();
        let wrong = match DATA.lock_irqsave(&mut Nesting::new()) {
            Ok(mut data) => {
                *data += 1;
                u32::from(State::now().held != before.held + 1)
            }
            Err(_) => 1,
        };
        // In an interrupt they were off before, and stay off.
        let wrong = wrong + u32::from(!before.irqs_disabled) + u32::from(State::now() != before);
        INTERRUPTS.fetch_add(1 + 100 * wrong, Relaxed);
    }

    #[test]
    fn interrupts_wait() -> Result {
        let work = Opaque::<bindings::irq_work>::uninit();
        // SAFETY: The work outlives its run, for which the end of this case waits.
        unsafe { bpf_percpu_helper_init_irq_work(work.get(), Some(interrupt)) };
        let mut nesting = Nesting::new();
        let mut guard = DATA.lock_irqsave(&mut nesting)?;
        *guard = 0;
        INTERRUPTS.store(0, Relaxed);
        // SAFETY: As above.
        unsafe { bindings::irq_work_queue(work.get()) };
        for _ in 0..10 {
            // SAFETY: Has no preconditions.
            unsafe { bindings::udelay(1000) };
        }
        let during = INTERRUPTS.load(Relaxed);
        drop(guard);
        // SAFETY: As above, and this case may sleep.
        unsafe { bindings::irq_work_sync(work.get()) };
        assert_eq!(during, 0);
        assert_eq!(INTERRUPTS.load(Relaxed), 1);
        assert_eq!(data_of(&DATA)?, 1);
        Ok(())
    }

    #[test]
    fn own_locks() -> Result {
        let (outer, inner) = (RqSpinLock::new(1), RqSpinLock::new(2));
        let mut nesting = Nesting::new();
        let mut guard = outer.lock_irqsave(&mut nesting)?;
        let (data, nesting) = guard.split();
        let own = error(&outer, nesting);
        let mut states = [State::now(); 3];
        let (further_out, data_inside) = {
            let mut guard = inner.lock_irqsave(nesting)?;
            let (data_inside, nesting) = guard.split();
            let errors = [error(&outer, nesting), error(&inner, nesting)];
            states[1] = State::now();
            (errors, *data_inside)
        };
        // The outer lock is still held, and the inner one is free.
        *data += 1;
        let free = error(&inner, nesting);
        let still = error(&outer, nesting);
        states[2] = State::now();
        drop(guard);
        assert_eq!(own, Some(LockError::Deadlock));
        assert_eq!(further_out, [Some(LockError::Deadlock); 2]);
        assert_eq!((free, still), (None, Some(LockError::Deadlock)));
        assert_eq!(data_inside, 2);
        assert!(states == [1, 2, 1].map(State::with));
        assert!(State::now() == State::with(0));
        assert_eq!(data_of(&outer)?, 2);
        Ok(())
    }

    #[test]
    fn any_order() -> Result {
        let locks = [1, 2, 3].map(RqSpinLock::new);
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
            let mut nesting = Nesting::new();
            let mut first = locks[order[0]].lock_irqsave(&mut nesting)?;
            let (a, nesting) = first.split();
            let mut second = locks[order[1]].lock_irqsave(nesting)?;
            let (b, nesting) = second.split();
            let third = locks[order[2]].lock_irqsave(nesting)?;
            let seen = [*a, *b, *third];
            drop(third);
            drop(second);
            drop(first);
            assert_eq!(seen, order.map(|at| at + 1));
            assert!(State::now() == State::with(0));
        }
        Ok(())
    }

    #[test]
    fn errors_of_c() {
        assert_eq!(
            LockError::from_errno(EDEADLK.to_errno()),
            LockError::Deadlock
        );
        assert_eq!(
            LockError::from_errno(ETIMEDOUT.to_errno()),
            LockError::TimedOut
        );
        for unknown in [
            EINVAL.to_errno(),
            EDEADLK.to_errno().wrapping_neg(),
            1,
            c_int::MIN,
        ] {
            assert_eq!(LockError::from_errno(unknown), LockError::TimedOut);
        }
        assert_eq!(Error::from(LockError::Deadlock), EDEADLK);
        assert_eq!(Error::from(LockError::TimedOut), ETIMEDOUT);
    }

    #[test]
    fn more_than_the_table_holds() -> Result {
        let locks = KBox::new(
            array::from_fn::<_, 40, _>(|_| RqSpinLock::new(0)),
            GFP_KERNEL,
        )?;
        let (state, first, last) = with_all(&locks[..], &mut Nesting::new(), |nesting| {
            let first = error(&locks[0], nesting);
            // The table has no entry for it, so only the timeout ends the wait.
            let last = error(&locks[39], nesting);
            (State::now(), first, last)
        })?;
        assert!(state == State::with(40));
        assert_eq!(first, Some(LockError::Deadlock));
        assert_eq!(last, Some(LockError::TimedOut));
        assert!(State::now() == State::with(0));
        for lock in &*locks {
            assert_eq!(data_of(lock)?, 1);
        }
        Ok(())
    }

    #[test]
    fn released_in_the_wrong_order() -> Result {
        let (outer, a, b) = (RqSpinLock::new(()), RqSpinLock::new(1), RqSpinLock::new(2));
        let mut nesting = Nesting::new();
        // Keeps interrupts disabled, whatever the other two locks do.
        let guard = outer.lock_irqsave(&mut nesting)?;
        let (mut one, mut other) = (Nesting::new(), Nesting::new());
        let first = a.lock_irqsave(&mut one);
        let second = b.lock_irqsave(&mut other);
        drop(first);
        // The table has lost the entry of `b`, and still has that of `a`.
        let missed = error_alone(&b);
        let free = error_alone(&a);
        drop(second);
        let states = (State::now(), error_alone(&outer));
        drop(guard);
        assert_eq!(missed, Some(LockError::TimedOut));
        assert_eq!(free, None);
        assert!(states == (State::with(1), Some(LockError::Deadlock)));
        assert!(State::now() == State::with(0));
        assert_eq!((error_alone(&a), error_alone(&b)), (None, None));
        Ok(())
    }

    #[test]
    fn forgotten_guards() -> Result {
        let (outer, lock) = (RqSpinLock::new(()), RqSpinLock::new(()));
        let mut nesting = Nesting::new();
        let mut guard = outer.lock_irqsave(&mut nesting)?;
        let forgotten = lock.lock_irqsave(guard.split().1).map(mem::forget);
        let errors = [error_alone(&lock), error_alone(&outer)];
        let state = State::now();
        if forgotten.is_ok() {
            // SAFETY: This CPU holds it, and acquired it last. Interrupts were disabled before, and
            // stay disabled.
            unsafe { bpf_percpu_helper_res_spin_unlock_irqrestore(lock.lock.get(), 0) };
        }
        let free = error_alone(&lock);
        drop(guard);
        assert!(forgotten.is_ok());
        assert_eq!(errors, [Some(LockError::Deadlock); 2]);
        assert!(state == State::with(2));
        assert_eq!(free, None);
        Ok(())
    }
}
