// SPDX-License-Identifier: GPL-2.0

//! Tests of the calls that read and write bytes.

use super::*;

#[kunit_tests(bpf_percpu_dev_bytes)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_one_cpu() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 16))?;
        let is_possible = |cpu: &u32| PossibleCpu::new(*cpu).is_some();
        let cpus = (0..kernel::cpu::nr_cpu_ids()).filter(is_possible);
        for (cpu, byte) in cpus.zip((1..=255u8).cycle()) {
            Arg(user.0).write(&[byte; 5])?;
            user.call(&file, WRITE, &io(user, cpu, 3, 5))?;
            Arg(user.0).write(&[0xffu8; 18])?;
            user.call(&file, READ, &io(user, cpu, 0, 16))?;
            let read: [u8; 18] = Arg(user.0).read()?;
            assert!((0..3).all(|at| read[at] == 0));
            assert!((3..8).all(|at| read[at] == byte));
            assert!((8..16).all(|at| read[at] == 0));
            assert_eq!(read[16..], [0xff; 2]);
        }
        Ok(())
    }

    #[test]
    fn writes_all_cpus() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 16))?;
        Arg(user.0).write(b"four")?;
        user.call(&file, WRITE, &io(user, BPF_PERCPU_ALL_CPUS, 12, 4))?;
        let store = file.store()?;
        for cpu in PossibleCpu::all() {
            let mut bytes = [1; 16];
            store.memory().read_on(cpu, 0, &mut bytes)?;
            assert_eq!(bytes, *b"\0\0\0\0\0\0\0\0\0\0\0\0four");
        }
        Ok(())
    }

    #[test]
    fn no_bytes_past_the_end() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 16))?;
        Arg(user.0).write(&[0xffu8; 32])?;
        for cpu in [0, BPF_PERCPU_ALL_CPUS] {
            for (off, len) in [
                (0, 17),
                (16, 1),
                (15, 2),
                (17, 0),
                (u32::MAX, 1),
                (u32::MAX, 17),
                (u32::MAX - 7, 16),
                (1, u32::MAX),
                (0, u32::MAX),
                (u32::MAX, u32::MAX),
            ] {
                for cmd in [READ, WRITE] {
                    let error = user.error(&file, cmd, &io(user, cpu, off, len));
                    assert_eq!(error, Some(ERANGE));
                }
            }
        }
        let store = file.store()?;
        for cpu in PossibleCpu::all() {
            let mut bytes = [1; 16];
            store.memory().read_on(cpu, 0, &mut bytes)?;
            assert_eq!(bytes, [0; 16]);
        }
        for cmd in [READ, WRITE] {
            assert_eq!(user.error(&file, cmd, &io(user, 0, 16, 0)), None);
        }
        Ok(())
    }

    #[test]
    fn no_cpus_that_are_not() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 16))?;
        for cpu in [kernel::cpu::nr_cpu_ids(), 1 << 13, 1 << 31, u32::MAX - 1] {
            for cmd in [READ, WRITE] {
                let error = user.error(&file, cmd, &io(user, cpu, 0, 8));
                assert_eq!(error, Some(ERANGE));
            }
        }
        // All CPUs have no single value to read.
        let all = io(user, BPF_PERCPU_ALL_CPUS, 0, 8);
        assert_eq!(user.error(&file, READ, &all), Some(ERANGE));
        Ok(())
    }

    #[test]
    fn bytes_that_are_not_there() -> Result {
        let (user, file) = (User::new()?, file()?);
        user.call(&file, CREATE, &create(b"kunit", 64))?;
        let end = User(user.0 + PAGE_SIZE);
        for data in [end, User(end.0 - 8), User(0), User(usize::MAX - 3)] {
            for cpu in [0, BPF_PERCPU_ALL_CPUS] {
                let error = user.error(&file, WRITE, &io(data, cpu, 0, 64));
                assert_eq!(error, Some(EFAULT));
            }
            assert_eq!(user.error(&file, READ, &io(data, 0, 0, 64)), Some(EFAULT));
        }
        // Half of the bytes could be read, and none was written.
        let store = file.store()?;
        let mut bytes = [1; 64];
        let cpu = PossibleCpu::new(0).ok_or(ERANGE)?;
        store.memory().read_on(cpu, 0, &mut bytes)?;
        assert_eq!(bytes, [0; 64]);
        Ok(())
    }
}
