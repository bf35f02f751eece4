// SPDX-License-Identifier: GPL-2.0

//! Programs on sockets: a filter, and a congestion control.

use std::io::Read;
use std::io::Write;
use std::mem::size_of_val;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use libbpf_rs::MapCore;
use tests::cpus::soon;

use crate::vars::in_each_form;
use crate::vars::lowered;
use crate::vars::Vars;

#[test]
fn socket_filter() {
    in_each_form(lowered!("socket_filter"), |vars| {
        let (from, to) = UnixDatagram::pair().expect("sockets");
        to.set_nonblocking(true).expect("a socket");
        let program = vars.program("filter").as_fd().as_raw_fd();
        // SAFETY: The option's value is valid for the call.
        let ret = unsafe {
            libc::setsockopt(
                to.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_BPF,
                (&raw const program).cast(),
                size_of_val(&program) as libc::socklen_t,
            )
        };
        assert_eq!(ret, 0, "{}", std::io::Error::last_os_error());
        // The filter runs on the CPU of the sender.
        let mut bytes = [0; 64];
        vars.times(|cpu| {
            let size = cpu as usize + 1;
            assert_eq!(from.send(&bytes[..size]).expect("sent"), size);
            assert_eq!(to.recv(&mut bytes).ok(), (size % 2 == 0).then_some(size));
            assert_eq!(from.send(&bytes[..20]).expect("sent"), 20);
            assert_eq!(to.recv(&mut bytes).ok(), Some(20));
        });
        let odd = |cpu: u32| if cpu % 2 == 0 { u64::from(cpu) } else { 0 };
        vars.check("dropped", odd);
        vars.check("kept", |cpu| 2 * u64::from(cpu) - odd(cpu));
        vars.check("newest", |cpu| {
            let mut newest = [0; 4];
            for run in 0..2 * cpu as usize {
                newest[run % 4] = if run % 2 == 0 { cpu + 1 } else { 20 };
            }
            newest
        });
    });
}

/// Sets the congestion control of a connection.
fn control(stream: &TcpStream, name: &str) {
    // SAFETY: The option's value is valid for the call.
    let ret = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            name.as_ptr().cast(),
            name.len() as libc::socklen_t,
        )
    };
    assert_eq!(ret, 0, "{name}: {}", std::io::Error::last_os_error());
}

/// Loads `struct_ops.bpf.c`, and runs `check` while it is registered.
fn with_struct_ops(check: impl Fn(&Vars)) {
    in_each_form(lowered!("struct_ops"), |vars| {
        vars.set_all("only", std::process::id());
        let _link = {
            let mut maps = vars.loaded.object_mut().maps_mut();
            let map = maps.find(|map| map.name() == "counting");
            let mut map = map.expect("a congestion control");
            map.attach_struct_ops().expect("it is registered")
        };
        check(vars);
    });
}

#[test]
fn struct_ops() {
    with_struct_ops(|vars| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a port");
        vars.times(|_| {
            let mut client = TcpStream::connect(address).expect("a connection");
            let (mut server, _) = listener.accept().expect("a connection");
            // For a connected socket it changes at once, on this CPU.
            control(&client, "percpu_counting");
            client.write_all(&[0; 1000]).expect("sent");
            server.read_exact(&mut [0; 1000]).expect("received");
            control(&client, "reno");
        });
        vars.check("inits", u64::from);
        vars.check("releases", u64::from);
        // Acknowledgements arrive on any CPU, as long as a connection uses it.
        let mut client = TcpStream::connect(address).expect("a connection");
        let (mut server, _) = listener.accept().expect("a connection");
        control(&client, "percpu_counting");
        assert!(soon(|| {
            client.write_all(&[0; 1000]).expect("sent");
            server.read_exact(&mut [0; 1000]).expect("received");
            let acks = |cpu| vars.get::<u64>("acks", cpu);
            vars.possible().into_iter().map(acks).sum::<u64>() > 0
        }));
        control(&client, "reno");
    });
}
