//! Who the program is, and what it runs on.

use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::abi::layout::Writer;
use crate::errno::Errno;
use crate::image::STACK_BYTES;
use crate::memory::PAGE_BYTES;

/// `getuid()` and its like: the superuser of its own small world.
#[allow(clippy::unnecessary_wraps, reason = "it is a handler")]
pub fn superuser(_: &mut Caller<'_>, _: &Arguments) -> Outcome {
    Ok(0)
}

/// Calls that succeed and change nothing: owners, times of files, advice.
#[allow(clippy::unnecessary_wraps, reason = "it is a handler")]
pub fn accepted(_: &mut Caller<'_>, _: &Arguments) -> Outcome {
    Ok(0)
}

/// `uname(name)`: six texts of 65 bytes.
pub fn system_name(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const FIELD: usize = 65;
    let fields = ["Linux", "dcsim", "6.12.0", "#1", "riscv64", "(none)"];
    let mut writer = Writer::default();
    for (index, field) in fields.iter().enumerate() {
        writer = writer.bytes(field.as_bytes()).pad_to((index + 1) * FIELD);
    }
    caller.user()?.write(arguments[0], &writer.done())?;
    Ok(0)
}

/// `getrandom(buffer, size, flags)`.
pub fn random(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const MOST_BYTES: u64 = 256;
    let length = arguments[1].min(MOST_BYTES);
    caller.user()?.prepare(arguments[0], length)?;
    let mut bytes = vec![0; length as usize];
    super::file::fill_randomly(caller, &mut bytes);
    caller.user()?.write(arguments[0], &bytes)?;
    Ok(length)
}

/// `sysinfo(info)`.
pub fn system_information(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let all = u64::from(caller.linux.spaces.all_pages()) * PAGE_BYTES;
    let free = all - u64::from(caller.linux.spaces.used_pages()) * PAGE_BYTES;
    let seconds = caller.now_ns() / 1_000_000_000;
    let processes = caller.linux.processes.len() as u16;
    let head = [seconds, 0, 0, 0, all, free, 0, 0, 0, 0];
    let writer = head.iter().fold(Writer::default(), |writer, word| writer.u64(*word));
    let told = writer.u16(processes).pad_to(104).u32(1).pad_to(112).done();
    caller.user()?.write(arguments[0], &told)?;
    Ok(0)
}

/// Numbers of resources (getrlimit(2)).
mod resource {
    pub const STACK: u64 = 3;
    pub const PROCESSES: u64 = 6;
    pub const FILES: u64 = 7;
    pub const ADDRESSES: u64 = 9;
    pub const LAST: u64 = 15;
}

/// `prlimit64(process, resource, new, old)`: limits are told, and stay as they are.
pub fn limit(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [_, resource, new_at, old_at, ..] = *arguments;
    if resource > resource::LAST {
        return Err(Errno::Invalid.into());
    }
    let limits = caller.linux.limits;
    let value = match resource {
        resource::STACK => STACK_BYTES,
        resource::PROCESSES => limits.threads as u64,
        resource::FILES => limits.files as u64,
        resource::ADDRESSES => limits.mapped_bytes,
        _ => u64::MAX,
    };
    if old_at != 0 {
        let told = Writer::default().u64(value).u64(value).done();
        caller.user()?.write(old_at, &told)?;
    }
    if new_at != 0 && caller.user()?.read_u64(new_at)? > value {
        return Err(Errno::NotPermitted.into());
    }
    Ok(0)
}

/// `getrlimit(resource, limit)`.
pub fn limit_of(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    limit(caller, &[0, arguments[0], 0, arguments[1], 0, 0])
}

/// `sched_getaffinity(process, size, mask)`: one processor.
pub fn processors(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    if arguments[1] < 8 {
        return Err(Errno::Invalid.into());
    }
    caller.user()?.write(arguments[2], &1u64.to_le_bytes())?;
    Ok(8)
}
