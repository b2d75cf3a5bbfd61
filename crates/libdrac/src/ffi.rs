//! The functions that C sees. What is unsafe is here: pointers of the caller, texts for the caller, and its environment.
//!
//! No panic crosses into C, and none is written to standard error, which may be a mail user's connection. While a call runs,
//! signals wait: a handler that leaves by `longjmp`, as POP servers' alarms do, must not leave through it, and none may run in
//! the thread that resolves a name. That is two seconds at most.

#![expect(unsafe_code, reason = "the interface is C")]

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_uchar, c_ulong};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use drac::Version;
use drac::client::{self, Target, WITHIN};
use nix::sys::signal::{SigSet, SigmaskHow};

use crate::handle::Handle;
use crate::outcome::{Outcome, Text};

/// Octets of a text with its NUL; a longer one is cut.
const TEXT_OCTETS: usize = 512;
/// Names the server's port, so that no port mapper is asked.
const PORT_VARIABLE: &CStr = c"LIBDRAC_PORT";
const IPV6_OCTETS: usize = 16;

static HANDLE: Handle = Handle::new(Version::V1);
static HANDLE6: Handle = Handle::new(Version::V2);

thread_local! {
    /// The last text made for this thread. Without a destructor it lives as long as the thread.
    static TEXT: UnsafeCell<[u8; TEXT_OCTETS]> = const { UnsafeCell::new([0; TEXT_OCTETS]) };
}

unsafe extern "C" {
    /// As `getenv`, but nothing for a program that runs with more rights than its caller has.
    fn secure_getenv(name: *const c_char) -> *mut c_char;
}

/// Has `server` add an IPv4 address, given in network order.
///
/// # Safety
/// `server` is a C string or null; `errmsg` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dracauth(server: *const c_char, userip: c_ulong, errmsg: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { guarded(errmsg, || client::add(&target(server), ipv4(userip), WITHIN).into()) }
}

/// Has `server` add an IPv6 address of 16 octets.
///
/// # Safety
/// `server` is a C string or null; `userip6` points to 16 octets or is null; `errmsg` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dracauth6(server: *const c_char, userip6: *const c_uchar, errmsg: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { guarded(errmsg, || client::add(&target(server), ipv6(userip6), WITHIN).into()) }
}

/// Finds `server` for `dracsend`.
///
/// # Safety
/// `server` is a C string or null; `errmsg` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dracconn(server: *const c_char, errmsg: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { guarded(errmsg, || HANDLE.connect(&target(server))) }
}

/// Finds `server` for `dracsend6`.
///
/// # Safety
/// `server` is a C string or null; `errmsg` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dracconn6(server: *const c_char, errmsg: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { guarded(errmsg, || HANDLE6.connect(&target(server))) }
}

/// Has the server of `dracconn` add an IPv4 address, given in network order.
///
/// # Safety
/// `errmsg` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dracsend(userip: c_ulong, errmsg: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { guarded(errmsg, || HANDLE.send(ipv4(userip))) }
}

/// Has the server of `dracconn6` add an IPv6 address of 16 octets.
///
/// # Safety
/// `userip6` points to 16 octets or is null; `errmsg` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dracsend6(userip6: *const c_uchar, errmsg: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { guarded(errmsg, || HANDLE6.send(ipv6(userip6))) }
}

/// Forgets the server of `dracconn`.
///
/// # Safety
/// `errmsg` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dracdisc(errmsg: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { guarded(errmsg, || HANDLE.disconnect()) }
}

/// Forgets the server of `dracconn6`.
///
/// # Safety
/// `errmsg` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dracdisc6(errmsg: *mut *mut c_char) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { guarded(errmsg, || HANDLE6.disconnect()) }
}

/// Runs `work` with signals held back and panics caught, and hands its text out.
///
/// # Safety
/// `errmsg` is null or can be written to.
unsafe fn guarded(errmsg: *mut *mut c_char, work: impl FnOnce() -> Outcome) -> c_int {
    static SILENT: Once = Once::new();
    // This library's own hook: a program in Rust that loads it has another.
    SILENT.call_once(|| panic::set_hook(Box::new(|_| {})));
    let signals = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Outcome::panicked());
    if !errmsg.is_null() {
        // SAFETY: not null, so it can be written to.
        unsafe { *errmsg = text_pointer(&outcome.text) };
    }
    let value = outcome.value;
    drop(outcome);
    // From here on a handler may leave by longjmp: nothing may be left that would have to be cleaned up.
    if let Ok(signals) = signals {
        // It was in force before, so it can be set.
        let _restored = signals.thread_set_mask();
    }
    value
}

/// For C to read. The original gives no const either; nobody may write there.
fn text_pointer(text: &Text) -> *mut c_char {
    match text {
        Text::Fixed(text) => text.as_ptr().cast_mut(),
        Text::Made(text) => TEXT.with(|place| {
            // SAFETY: only this thread sees it, and no reference to it outlives this closure.
            let place = unsafe { &mut *place.get() };
            let octets = text.bytes().map(|octet| if octet == 0 { b'?' } else { octet });
            place.fill(0);
            place[..TEXT_OCTETS - 1].iter_mut().zip(octets).for_each(|(to, from)| *to = from);
            place.as_mut_ptr().cast()
        }),
    }
}

/// The server; null is the empty name, which no host has.
///
/// # Safety
/// `server` is a C string or null.
unsafe fn target(server: *const c_char) -> Target {
    if server.is_null() {
        return Target::new("");
    }
    // SAFETY: a C string, as it is not null.
    let named = Target::parse(&unsafe { CStr::from_ptr(server) }.to_string_lossy());
    match port_from_environment() {
        Some(port) => named.at_port(port),
        None => named,
    }
}

fn port_from_environment() -> Option<u16> {
    // SAFETY: the name is a C string.
    let value = unsafe { secure_getenv(PORT_VARIABLE.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: getenv's strings end with NUL. A caller that changes its environment in another thread meanwhile breaks every
    // library.
    unsafe { CStr::from_ptr(value) }.to_str().ok()?.parse().ok()
}

/// In network order: the octets lie in memory as they are written. What is above 32 bits is garbage that callers without a
/// prototype leave there.
fn ipv4(userip: c_ulong) -> IpAddr {
    let word = u32::try_from(userip & 0xffff_ffff).unwrap_or_default();
    Ipv4Addr::from(word.to_ne_bytes()).into()
}

/// Null is the unspecified address, which no server adds.
///
/// # Safety
/// `userip6` points to 16 octets or is null.
unsafe fn ipv6(userip6: *const c_uchar) -> IpAddr {
    if userip6.is_null() {
        return Ipv6Addr::UNSPECIFIED.into();
    }
    // SAFETY: not null, so it points to that many octets, and any of them are an address.
    Ipv6Addr::from_octets(unsafe { *userip6.cast::<[u8; IPV6_OCTETS]>() }).into()
}
