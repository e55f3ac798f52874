//! Waiting for one of several files.

use super::time::duration_at;
use super::{Caller, Outcome};
use crate::abi::Arguments;
use crate::errno::{Errno, Stop};
use crate::process::{Interest, Wait};
use crate::signal::SignalSet;

/// Events of `poll`.
mod event {
    pub const IN: u16 = 1;
    pub const OUT: u16 = 4;
    pub const ERROR: u16 = 8;
    pub const HANG_UP: u16 = 16;
    pub const INVALID: u16 = 32;
}

/// Bytes of `struct pollfd`.
const ENTRY_BYTES: u64 = 8;

/// `ppoll(files, count, timeout, mask, size)`.
pub fn poll(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    let [files_at, count, timeout, mask_at, ..] = *arguments;
    if count > caller.linux.limits.files as u64 {
        return Err(Errno::Invalid.into());
    }
    let until_ns = until(caller, timeout)?;
    let mask = mask_at_address(caller, mask_at)?;
    caller.user()?.prepare(files_at, count * ENTRY_BYTES)?;
    let mut ready = 0;
    let mut interests = Vec::new();
    for index in 0..count {
        let at = files_at + index * ENTRY_BYTES;
        let [a, b, c, d, low, high, ..] = caller.user()?.read_array::<8>(at)?;
        let number = i32::from_le_bytes([a, b, c, d]);
        let wanted = u16::from_le_bytes([low, high]);
        let found =
            if number < 0 { 0 } else { look(caller, number as u64, wanted, &mut interests) };
        ready += u64::from(found != 0);
        caller.user()?.write(at + 6, &found.to_le_bytes())?;
    }
    end(caller, ready, until_ns, mask, interests)
}

/// What `poll` tells of one file; notes what is to be waited for.
fn look(caller: &mut Caller<'_>, number: u64, wanted: u16, interests: &mut Vec<Interest>) -> u16 {
    let Ok(descriptor) = caller.descriptor(number) else { return event::INVALID };
    let (open, files) = (descriptor.open, &caller.linux.open);
    let (read, write) = (wanted & event::IN != 0, wanted & event::OUT != 0);
    interests.push(Interest { open, read, write, hang_up: true });
    let mut found = 0;
    if read && files.is_readable(open) {
        found |= event::IN;
    }
    if files.is_hung_up(open) {
        let writes = files.get(open).is_ok_and(|file| file.mode.write);
        found |= if writes { event::ERROR } else { event::HANG_UP };
        // An end of file is told by the hang-up alone when nothing is left to read.
        if !writes && !files.has_content(open) {
            found &= !event::IN;
        }
    }
    if write && files.is_writable(open) {
        found |= event::OUT;
    }
    found
}

fn until(caller: &mut Caller<'_>, timeout: u64) -> Result<Option<u64>, Stop> {
    if timeout == 0 {
        return Ok(None);
    }
    let wait_ns = duration_at(caller, timeout)?;
    Ok(Some(caller.deadline_ns(wait_ns)?))
}

fn mask_at_address(caller: &mut Caller<'_>, address: u64) -> Result<Option<SignalSet>, Stop> {
    if address == 0 {
        return Ok(None);
    }
    Ok(Some(SignalSet(caller.user()?.read_u64(address)?).as_mask()))
}

/// Tells what is ready, or waits.
fn end(
    caller: &mut Caller<'_>,
    ready: u64,
    until_ns: Option<u64>,
    mask: Option<SignalSet>,
    interests: Vec<Interest>,
) -> Outcome {
    let is_over = until_ns.is_some_and(|until_ns| until_ns <= caller.now_ns());
    if ready > 0 || is_over {
        for interest in interests.iter().filter(|interest| interest.read) {
            caller.linux.open.note_miss(interest.open);
        }
        return Ok(ready);
    }
    let thread = caller.thread()?;
    if let Some(mask) = mask
        && thread.mask_after.is_none()
    {
        thread.mask_after = Some(std::mem::replace(&mut thread.mask, mask));
    }
    Err(Stop::Wait(Wait::Files { interests, until_ns }))
}

/// `pselect6(count, read, write, except, timeout, mask)`.
pub fn select(caller: &mut Caller<'_>, arguments: &Arguments) -> Outcome {
    const MOST: u64 = 1024;
    let [count, read_at, write_at, except_at, timeout, mask_at] = *arguments;
    if count > MOST {
        return Err(Errno::Invalid.into());
    }
    let until_ns = until(caller, timeout)?;
    let mask = match mask_at {
        0 => None,
        at => {
            let pointer = caller.user()?.read_u64(at)?;
            mask_at_address(caller, pointer)?
        }
    };
    let words = count.div_ceil(64);
    let mut sets = Vec::new();
    for at in [read_at, write_at, except_at] {
        sets.push(set_at(caller, at, words)?);
    }
    let mut interests = Vec::new();
    let mut ready = 0;
    for number in 0..count {
        ready += look_into_sets(caller, number, &mut sets, &mut interests)?;
    }
    if ready > 0 || until_ns.is_some_and(|until_ns| until_ns <= caller.now_ns()) {
        for (at, set) in [read_at, write_at, except_at].into_iter().zip(&sets) {
            if at != 0 {
                let bytes: Vec<u8> = set.iter().flat_map(|word| word.to_le_bytes()).collect();
                caller.user()?.write(at, &bytes)?;
            }
        }
    }
    end(caller, ready, until_ns, mask, interests)
}

fn set_at(caller: &mut Caller<'_>, address: u64, words: u64) -> Result<Vec<u64>, Stop> {
    let mut set = vec![0; words as usize];
    if address != 0 {
        caller.user()?.prepare(address, words * 8)?;
        for (index, word) in set.iter_mut().enumerate() {
            *word = caller.user()?.read_u64(address.wrapping_add(index as u64 * 8))?;
        }
    }
    Ok(set)
}

/// Leaves the bits of one file in the sets where it is ready; tells how many these are.
fn look_into_sets(
    caller: &mut Caller<'_>,
    number: u64,
    sets: &mut [Vec<u64>],
    interests: &mut Vec<Interest>,
) -> Result<u64, Errno> {
    let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
    let wants: Vec<bool> = sets.iter().map(|set| set[word] & bit != 0).collect();
    if !wants.contains(&true) {
        return Ok(0);
    }
    let open = caller.descriptor(number)?.open;
    interests.push(Interest { open, read: wants[0], write: wants[1], hang_up: false });
    let files = &caller.linux.open;
    let is_ready = [files.is_readable(open), files.is_writable(open), false];
    let mut count = 0;
    for (index, set) in sets.iter_mut().enumerate() {
        if wants[index] && is_ready[index] {
            count += 1;
        } else {
            set[word] &= !bit;
        }
    }
    Ok(count)
}
