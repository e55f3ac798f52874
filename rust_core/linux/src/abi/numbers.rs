//! Numbers of calls on RV64: those of `asm-generic/unistd.h`.

use crate::calls::{
    Handler, change, descriptor, execute, file, futex, identity, memory, name, poll, process,
    signal, time, wait,
};

/// All calls by number, with their names.
const CALLS: &[(u64, &str, Handler)] = &[
    (17, "getcwd", name::current_directory),
    (23, "dup", descriptor::duplicate),
    (24, "dup3", descriptor::duplicate_to),
    (25, "fcntl", descriptor::control),
    (29, "ioctl", descriptor::device_control),
    (34, "mkdirat", change::make_directory),
    (35, "unlinkat", change::remove),
    (36, "symlinkat", change::make_link),
    (37, "linkat", change::add_name),
    (38, "renameat", change::rename_without_flags),
    (43, "statfs", name::file_system),
    (44, "fstatfs", name::file_system),
    (45, "truncate", change::truncate),
    (46, "ftruncate", change::truncate_open),
    (48, "faccessat", name::access),
    (49, "chdir", name::change_directory),
    (50, "fchdir", name::change_directory_to),
    (52, "fchmod", change::change_mode_of_open),
    (53, "fchmodat", change::change_mode),
    (54, "fchownat", identity::accepted),
    (55, "fchown", identity::accepted),
    (56, "openat", descriptor::open_at),
    (57, "close", descriptor::close),
    (59, "pipe2", descriptor::pipe),
    (61, "getdents64", name::entries),
    (62, "lseek", file::seek),
    (63, "read", file::read),
    (64, "write", file::write),
    (65, "readv", file::read_pieces),
    (66, "writev", file::write_pieces),
    (67, "pread64", file::read_at),
    (68, "pwrite64", file::write_at),
    (69, "preadv", file::read_pieces_at),
    (70, "pwritev", file::write_pieces_at),
    (71, "sendfile", file::send_file),
    (72, "pselect6", poll::select),
    (73, "ppoll", poll::poll),
    (78, "readlinkat", name::read_link),
    (79, "newfstatat", name::status),
    (80, "fstat", name::status_of_file),
    (82, "fsync", file::synchronise),
    (83, "fdatasync", file::synchronise),
    (88, "utimensat", identity::accepted),
    (93, "exit", process::exit_thread),
    (94, "exit_group", process::exit),
    (95, "waitid", wait::wait_id),
    (96, "set_tid_address", process::set_cleared_id),
    (98, "futex", futex::futex),
    (99, "set_robust_list", identity::accepted),
    (101, "nanosleep", time::sleep),
    (102, "getitimer", time::timer),
    (103, "setitimer", time::set_timer),
    (113, "clock_gettime", time::clock),
    (114, "clock_getres", time::resolution),
    (115, "clock_nanosleep", time::sleep_by_clock),
    (123, "sched_getaffinity", identity::processors),
    (124, "sched_yield", process::give_way),
    (129, "kill", signal::kill),
    (130, "tkill", signal::kill_thread),
    (131, "tgkill", signal::kill_thread_of),
    (132, "sigaltstack", signal::stack),
    (133, "rt_sigsuspend", signal::suspend),
    (134, "rt_sigaction", signal::action),
    (135, "rt_sigprocmask", signal::mask),
    (136, "rt_sigpending", signal::pending),
    (137, "rt_sigtimedwait", signal::wait),
    (139, "rt_sigreturn", signal::come_back),
    (153, "times", time::ticks),
    (154, "setpgid", process::set_group),
    (155, "getpgid", process::group),
    (156, "getsid", process::session),
    (157, "setsid", process::make_session),
    (160, "uname", identity::system_name),
    (163, "getrlimit", identity::limit_of),
    (165, "getrusage", time::usage),
    (166, "umask", name::set_umask),
    (169, "gettimeofday", time::time_of_day),
    (172, "getpid", process::process_id),
    (173, "getppid", process::parent_id),
    (174, "getuid", identity::superuser),
    (175, "geteuid", identity::superuser),
    (176, "getgid", identity::superuser),
    (177, "getegid", identity::superuser),
    (178, "gettid", process::thread_id),
    (179, "sysinfo", identity::system_information),
    (214, "brk", memory::set_heap_end),
    (215, "munmap", memory::unmap),
    (216, "mremap", memory::remap),
    (220, "clone", process::clone),
    (221, "execve", execute::call),
    (222, "mmap", memory::map),
    (226, "mprotect", memory::protect),
    (233, "madvise", memory::advise),
    (259, "riscv_flush_icache", identity::accepted),
    (260, "wait4", wait::wait),
    (261, "prlimit64", identity::limit),
    (276, "renameat2", change::rename),
    (278, "getrandom", identity::random),
    (291, "statx", name::extended_status),
    (439, "faccessat2", name::access),
];

/// The name of a call, and what carries it out.
pub fn find(number: u64) -> Option<(&'static str, Handler)> {
    let index = CALLS.binary_search_by_key(&number, |(number, ..)| *number).ok()?;
    let (_, name, handler) = CALLS[index];
    Some((name, handler))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_by_number() {
        assert!(CALLS.is_sorted_by_key(|(number, ..)| *number));
        assert_eq!(find(64).map(|(name, _)| name), Some("write"));
        assert!(find(0).is_none() && find(435).is_none() && find(u64::MAX).is_none());
    }
}
