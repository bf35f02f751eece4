// SPDX-License-Identifier: GPL-2.0

//! Tests of tasks' entries.

use super::*;
use kernel::task::Task;

/// A kernel thread that sleeps until it is stopped.
struct Thread(*mut bindings::task_struct);

impl Thread {
    fn new() -> Result<Self> {
        /// # Safety
        ///
        /// Run by a kernel thread.
        unsafe extern "C" fn wait(_data: *mut c_void) -> c_int {
            // SAFETY: This is a kernel thread.
            while !unsafe { bindings::kthread_should_stop() } {
                sleep();
            }
            0
        }

        // SAFETY: The name is a C string without conversion specifiers.
        kernel::error::from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(wait),
                ptr::null_mut(),
                crate::bindings::NUMA_NO_NODE,
                c"bpf_percpu_owner".as_char_ptr(),
            )
        })
        .map(|task| {
            // SAFETY: The thread was created just now and waits to be woken.
            unsafe { bindings::wake_up_process(task) };
            Self(task)
        })
    }

    fn owner(&self) -> TaskOwner<'_> {
        // SAFETY: The thread runs, and is not freed, until this value is dropped.
        unsafe { TaskOwner::new(self.0) }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // SAFETY: The thread runs until it is stopped, here.
        unsafe { bindings::kthread_stop(self.0) };
    }
}

#[kunit_tests(bpf_percpu_keyed_tasks)]
mod tests {
    use super::*;

    #[test]
    fn task_takes_an_entry() -> Result {
        let store = TestStore::new(KeyKind::Task, 8, 2, &[])?;
        let current = Task::current_raw();
        // SAFETY: The current task is not freed while it runs.
        let owner = unsafe { TaskOwner::new(current) };
        let entry = store.get(owner).ok_or(ENOENT)?;
        assert_eq!(entry.key(), current as u64);
        // SAFETY: The current task is not freed while it runs.
        let pid = unsafe { (*current).pid } as u64;
        assert!(store
            .find_owner(pid, None)
            .is_some_and(|found| ptr::eq(&*found, &*entry)));
        Ok(())
    }

    #[test]
    fn task_that_ends_gives_it_back() -> Result {
        let layout = KeyedLayout {
            kind: KeyKind::Task,
            size: 8,
            entries: 2,
        };
        let stores = [
            TestStore::named("kunit-a", layout, &[])?,
            TestStore::named("kunit-b", layout, &[])?,
        ];
        for round in 0..3 {
            let thread = Thread::new()?;
            for store in &stores {
                let entry = store.get(thread.owner()).ok_or(ENOENT)?;
                assert!(is(&entry, &[])?);
                fill(&entry, round + 1)?;
            }
            assert_eq!(stores[0].now(), (1, 0));
            drop(thread);
            for store in &stores {
                while store.info().used != 0 {
                    sleep();
                }
                assert_eq!(store.settled(), 0);
            }
        }
        Ok(())
    }

    #[test]
    fn ending_task_takes_none() -> Result {
        let store = TestStore::new(KeyKind::Task, 8, 2, &[])?;
        let thread = Thread::new()?;
        // SAFETY: The thread is not freed until it is stopped, and then the reference keeps it.
        let task = unsafe {
            bindings::get_task_struct(thread.0);
            thread.0
        };
        drop(thread);
        let taken = {
            // SAFETY: The reference keeps the task.
            store.get(unsafe { TaskOwner::new(task) }).is_some()
        };
        // SAFETY: Drops the reference that was taken above.
        unsafe { bindings::put_task_struct(task) };
        assert!(!taken);
        assert_eq!((store.now(), store.info().full), ((0, 0), 0));
        Ok(())
    }

    #[test]
    fn owners_end_while_stores_do() -> Result {
        let before = counts();
        for round in 0..50 {
            let (store, thread) = (TestStore::new(KeyKind::Task, 8, 2, &[])?, Thread::new()?);
            assert!(store.get(thread.owner()).is_some());
            // The second to end does so during the clean-up of the first.
            if round % 2 == 0 {
                drop(thread);
                drop(store);
            } else {
                drop(store);
                drop(thread);
            }
        }
        assert_eq!(counts(), before);
        Ok(())
    }
}
