//! Sending and delivering signals.

use super::Linux;
use crate::abi::Registers;
use crate::abi::frame::{self, Delivery};
use crate::errno::Stop;
use crate::hardware::{Hardware, Unavailable};
use crate::image::TRAMPOLINE;
use crate::memory::user::User;
use crate::process::{ExitStatus, Id};
use crate::signal::{Info, SignalSet, flag, handler, number};

impl Linux {
    /// Sends a signal to a process.
    pub(crate) fn send(&mut self, process: Id, signal: u32, info: Info) {
        let mut threads = self.threads.values().filter(|thread| thread.process == process);
        let is_held = threads.all(|thread| thread.mask.contains(signal));
        let Some(process) = self.processes.get_mut(&process) else { return };
        if process.ended.is_none() && (is_held || !process.actions.ignore(signal)) {
            process.pending.add(signal, info);
        }
    }

    /// Sends a signal to one thread.
    pub(crate) fn send_to_thread(&mut self, id: Id, signal: u32, info: Info) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let ignored = self
            .processes
            .get(&thread.process)
            .is_none_or(|process| process.actions.ignore(signal));
        if thread.mask.contains(signal) || !ignored {
            thread.pending.add(signal, info);
        }
    }

    /// The signal that a thread would be delivered now.
    pub(crate) fn deliverable(&self, id: Id) -> Option<u32> {
        let thread = self.threads.get(&id)?;
        let process = self.processes.get(&thread.process)?;
        let own = thread.pending.first(thread.mask);
        let all = process.pending.first(thread.mask);
        own.into_iter().chain(all).min()
    }

    /// Whether one of these signals is pending for a thread, held back or not.
    pub(super) fn has_pending(&self, id: Id, set: SignalSet) -> bool {
        let others = SignalSet(!set.0);
        self.threads.get(&id).is_some_and(|thread| {
            let process = self.processes.get(&thread.process);
            let all = process.and_then(|process| process.pending.first(others));
            thread.pending.first(others).or(all).is_some()
        })
    }

    /// Delivers a signal to the current thread, if there is one. Tells whether the thread can
    /// execute.
    pub(super) fn deliver(
        &mut self,
        hardware: &mut dyn Hardware,
        registers: &mut Registers,
        id: Id,
    ) -> Result<bool, Unavailable> {
        let Some(signal) = self.deliverable(id) else {
            self.restore_mask(id);
            return Ok(true);
        };
        let thread = &self.threads[&id];
        let (process_id, space) = (thread.process, self.processes[&thread.process].space);
        let action = self.processes[&process_id].actions.get(signal);
        if self.processes[&process_id].actions.ignore(signal) {
            self.take_signal(id, signal);
            return Ok(false);
        }
        if action.handler == handler::DEFAULT || signal == number::KILL {
            self.end_process(hardware, process_id, ExitStatus::Killed(signal));
            return Ok(false);
        }
        let info = thread.pending.clone().take(signal);
        let info = info.or_else(|| self.processes[&process_id].pending.clone().take(signal));
        let delivery = Delivery {
            signal,
            info: info.unwrap_or_default(),
            action,
            mask: thread.mask_after.unwrap_or(thread.mask),
            signal_stack: thread.signal_stack,
            trampoline: TRAMPOLINE,
        };
        let mut user = User { spaces: &mut self.spaces, contents: &self.tree, hardware, space };
        match frame::push(&mut user, registers, &delivery) {
            Ok(()) => self.begin_handler(id, &delivery),
            Err(Stop::Unavailable(unavailable)) => return Err(unavailable),
            // There is no stack: nothing can be told to the program any more.
            Err(_) => self.end_process(hardware, process_id, ExitStatus::Killed(number::SEGV)),
        }
        Ok(false)
    }

    /// A mask that held for one wait ends with it.
    fn restore_mask(&mut self, id: Id) {
        if let Some(thread) = self.threads.get_mut(&id)
            && let Some(mask) = thread.mask_after.take()
        {
            thread.mask = mask;
        }
    }

    fn take_signal(&mut self, id: Id, signal: u32) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        if thread.pending.take(signal).is_none()
            && let Some(process) = self.processes.get_mut(&thread.process)
        {
            process.pending.take(signal);
        }
    }

    fn begin_handler(&mut self, id: Id, delivery: &Delivery) {
        self.take_signal(id, delivery.signal);
        let Some(thread) = self.threads.get_mut(&id) else { return };
        thread.mask_after = None;
        thread.mask = delivery.mask.with(delivery.action.mask).as_mask();
        if delivery.action.flags & flag::NO_DEFER == 0 {
            thread.mask = thread.mask.with(SignalSet::of(delivery.signal)).as_mask();
        }
        if delivery.action.flags & flag::RESET != 0
            && let Some(process) = self.processes.get_mut(&thread.process)
        {
            process.actions.set(delivery.signal, crate::signal::Action::default());
        }
    }
}
