//! Who runs next, and whose wait is over.

use super::{Linux, Next};
use crate::abi::Registers;
use crate::errno::Errno;
use crate::hardware::{Hardware, Unavailable, Work};
use crate::process::{Children, Id, Interest, Process, State, Wait};
use crate::signal::{Info, code, flag, number};

impl Linux {
    /// Delivers signals and chooses who runs.
    pub fn resume(
        &mut self,
        hardware: &mut dyn Hardware,
        registers: &mut Registers,
    ) -> Result<Next, Unavailable> {
        loop {
            self.ring_alarms(hardware.now_ns());
            if let Some(status) = self.ended {
                return Ok(Next::Ended(status));
            }
            self.end_waits(hardware);
            if !self.choose(hardware, registers) {
                return Ok(Next::Idle(self.next_time_ns()));
            }
            if self.take_up(hardware, registers)? {
                return Ok(Next::Run);
            }
        }
    }

    /// Lets the thread that runs go on, or the first that wants to. Tells whether there is any.
    fn choose(&mut self, hardware: &mut dyn Hardware, registers: &mut Registers) -> bool {
        if let Some(id) = self.current {
            match self.threads.get_mut(&id) {
                Some(thread) if !matches!(thread.state, State::Waiting(_)) => return true,
                Some(thread) => thread.registers = registers.clone(),
                None => {}
            }
        }
        self.current = self.ready.pop_front();
        let chosen = self.current.and_then(|id| self.threads.get(&id));
        if let Some(thread) = chosen {
            hardware.account(Work::Loads(66));
            *registers = thread.registers.clone();
        }
        self.current.is_some()
    }

    /// Does what the current thread owes before it executes. Tells whether it can.
    fn take_up(
        &mut self,
        hardware: &mut dyn Hardware,
        registers: &mut Registers,
    ) -> Result<bool, Unavailable> {
        let Some(id) = self.current else { return Ok(false) };
        let Some(thread) = self.threads.get_mut(&id) else { return Ok(false) };
        match std::mem::replace(&mut thread.state, State::Ready) {
            State::Ready => {}
            State::Woken(Some(result)) => {
                thread.deadline_ns = None;
                registers.finish_call(result);
            }
            State::Woken(None) => {
                if let Err(unavailable) = self.call(hardware, registers) {
                    self.set_state(id, State::Woken(None));
                    return Err(unavailable);
                }
                return Ok(false);
            }
            waiting @ State::Waiting(_) => {
                thread.state = waiting;
                return Ok(false);
            }
        }
        self.deliver(hardware, registers, id)
    }

    pub(crate) fn set_state(&mut self, id: Id, state: State) {
        if let Some(thread) = self.threads.get_mut(&id) {
            thread.state = state;
        }
    }

    /// Ends the waits that are over.
    fn end_waits(&mut self, hardware: &mut dyn Hardware) {
        let now_ns = hardware.now_ns();
        let waiting = self.threads.iter().filter_map(|(id, thread)| match &thread.state {
            State::Waiting(wait) => Some((*id, wait)),
            _ => None,
        });
        let over: Vec<_> = waiting.filter(|(id, wait)| self.is_over(*id, wait, now_ns)).collect();
        let over: Vec<_> = over.into_iter().map(|(id, wait)| (id, wait.clone())).collect();
        for (id, wait) in over {
            let interrupted = self.deliverable(id).is_some();
            if interrupted && !self.is_done(id, &wait, now_ns) {
                self.interrupt(id, &wait);
            } else if matches!(wait, Wait::Vfork(_)) {
                // Its result is set already.
                self.set_state(id, State::Ready);
            } else {
                self.set_state(id, State::Woken(None));
            }
            if self.current != Some(id) {
                self.ready.push_back(id);
            }
        }
    }

    /// Ends a thread's wait with a result.
    pub(crate) fn wake(&mut self, id: Id, result: u64) {
        self.set_state(id, State::Woken(Some(result)));
        if self.current != Some(id) {
            self.ready.push_back(id);
        }
    }

    fn is_over(&self, id: Id, wait: &Wait, now_ns: u64) -> bool {
        let interrupted = !matches!(wait, Wait::Vfork(_)) && self.deliverable(id).is_some();
        interrupted || self.is_done(id, wait, now_ns)
    }

    /// Whether what a thread waits for has come.
    fn is_done(&self, id: Id, wait: &Wait, now_ns: u64) -> bool {
        if wait.until_ns().is_some_and(|until_ns| until_ns <= now_ns) {
            return true;
        }
        match wait {
            Wait::Until(_) | Wait::Signal { .. } => false,
            Wait::Child(meant) => self.threads.get(&id).is_none_or(|thread| {
                let mut children = self.children(thread.process, *meant).peekable();
                children.peek().is_none() || children.any(|(_, child)| child.ended.is_some())
            }),
            Wait::Readable(open) => self.open.is_readable(*open),
            Wait::Writable(open) => self.open.is_writable(*open),
            Wait::Files { interests, .. } => {
                interests.iter().any(|each| self.is_interesting(*each))
            }
            Wait::Futex { .. } => !self.futexes.holds(id),
            Wait::Accept { set, .. } => self.has_pending(id, *set),
            Wait::Vfork(child) => self
                .processes
                .get(child)
                .is_none_or(|child| child.ended.is_some() || !child.borrows_memory),
        }
    }

    /// The children of a process that are meant.
    pub(crate) fn children(
        &self,
        parent: Id,
        meant: Children,
    ) -> impl Iterator<Item = (Id, &Process)> {
        let own = self.processes.iter().filter(move |(_, child)| child.parent == Some(parent));
        own.filter(move |(id, child)| meant.include(**id, child)).map(|(id, child)| (*id, child))
    }

    /// Whether a thread waits for what the console has.
    pub(super) fn waits_for_input(&self) -> bool {
        self.threads.values().any(|thread| match &thread.state {
            State::Waiting(Wait::Readable(open)) => self.open.is_input(*open),
            State::Waiting(Wait::Files { interests, .. }) => {
                interests.iter().any(|each| each.read && self.open.is_input(each.open))
            }
            _ => false,
        })
    }

    /// Whether `poll` would tell something of a file.
    pub(crate) fn is_interesting(&self, interest: Interest) -> bool {
        interest.read && self.open.is_readable(interest.open)
            || interest.write && self.open.is_writable(interest.open)
            || interest.hang_up && self.open.is_hung_up(interest.open)
    }

    /// A signal ends the wait of a call: it fails, or is made again behind the handler.
    fn interrupt(&mut self, id: Id, wait: &Wait) {
        if matches!(wait, Wait::Until(_)) {
            // The call itself tells how long it had yet to wait.
            self.set_state(id, State::Woken(None));
            return;
        }
        self.futexes.forget(id);
        let signal = self.deliverable(id);
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let action = signal.and_then(|signal| {
            self.processes.get(&thread.process).map(|process| process.actions.get(signal))
        });
        let restarts =
            wait.restarts() && action.is_some_and(|each| each.flags & flag::RESTART != 0);
        thread.deadline_ns = None;
        thread.state = if restarts {
            // The registers still name the call.
            State::Ready
        } else {
            State::Woken(Some((-i64::from(Errno::Interrupted as u16)) as u64))
        };
    }

    /// When a wait ends or an alarm rings, whatever the program does.
    pub fn next_time_ns(&self) -> Option<u64> {
        let waits = self.threads.values().filter_map(|thread| match &thread.state {
            State::Waiting(wait) => wait.until_ns(),
            _ => None,
        });
        let alarms = self.processes.values().filter_map(|process| Some(process.alarm?.0));
        waits.chain(alarms).min()
    }

    fn ring_alarms(&mut self, now_ns: u64) {
        let due = |process: &Process| process.alarm.is_some_and(|(at_ns, _)| at_ns <= now_ns);
        let rings: Vec<_> =
            self.processes.iter().filter(|(_, process)| due(process)).map(|(id, _)| *id).collect();
        for id in rings {
            if let Some(process) = self.processes.get_mut(&id)
                && let Some((at_ns, every_ns)) = process.alarm
            {
                let missed = (now_ns - at_ns).checked_div(every_ns).unwrap_or(0);
                let next_ns = at_ns.saturating_add(every_ns.saturating_mul(missed + 1));
                process.alarm = (every_ns > 0).then_some((next_ns, every_ns));
            }
            self.send(id, number::ALRM, Info { code: code::KERNEL, ..Info::default() });
        }
    }
}
