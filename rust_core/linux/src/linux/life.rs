//! Beginning and ending processes and threads.

use super::{FIRST, Linux};
use crate::errno::Errno;
use crate::hardware::{Hardware, SpaceId};
use crate::process::{ExitStatus, Id, Thread};
use crate::signal::{Info, Origin, code, flag, handler, number};

impl Linux {
    /// A number for a process or thread; refuses when there are as many as there may be.
    pub(crate) fn new_id(&mut self) -> Result<Id, Errno> {
        let zombies = self.processes.values().filter(|process| process.ended.is_some()).count();
        if self.threads.len() + zombies >= self.limits.threads {
            return Err(Errno::Again);
        }
        let id = Id(self.next_id);
        self.next_id = self.next_id.checked_add(1).ok_or(Errno::Again)?;
        Ok(id)
    }

    /// A thread begins: it wants to run.
    pub(crate) fn add_thread(&mut self, id: Id, thread: Thread) {
        self.threads.insert(id, thread);
        self.ready.push_back(id);
    }

    /// A thread ends; with the last one its process does, with this status.
    pub(crate) fn end_thread(&mut self, hardware: &mut dyn Hardware, id: Id, status: ExitStatus) {
        let Some(thread) = self.forget_thread(id) else { return };
        let Some(process) = self.processes.get_mut(&thread.process) else { return };
        process.threads -= 1;
        if process.threads == 0 {
            self.end_process(hardware, thread.process, status);
        }
    }

    fn forget_thread(&mut self, id: Id) -> Option<Thread> {
        self.ready.retain(|ready| *ready != id);
        self.futexes.forget(id);
        if self.current == Some(id) {
            self.current = None;
        }
        self.threads.remove(&id)
    }

    /// Ends all threads of a process but one.
    pub(crate) fn end_other_threads(&mut self, process: Id, kept: Option<Id>) {
        let ended: Vec<_> = self
            .threads
            .iter()
            .filter(|(id, thread)| thread.process == process && Some(**id) != kept)
            .map(|(id, _)| *id)
            .collect();
        for id in ended {
            self.forget_thread(id);
        }
        if let Some(process) = self.processes.get_mut(&process) {
            process.threads = u32::from(kept.is_some());
        }
    }

    /// A process ends.
    pub(crate) fn end_process(&mut self, hardware: &mut dyn Hardware, id: Id, status: ExitStatus) {
        self.end_other_threads(id, None);
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.ended = Some(status);
        process.alarm = None;
        let (space, parent) = (process.space, process.parent);
        let (descriptors, directory) =
            (std::mem::take(&mut process.descriptors), process.directory);
        process.borrows_memory = false;
        for (_, descriptor) in descriptors.iter() {
            self.open.release(&mut self.tree, descriptor.open);
        }
        self.tree.let_go(directory);
        self.end_space_if_unused(hardware, space);
        self.leave_children(id);
        match parent {
            Some(parent) => self.tell_parent(parent, id, status),
            None => self.ended = Some(status),
        }
    }

    /// Ends an address space in which no process is any more: one that has just been made may still
    /// share its parent's.
    pub(crate) fn end_space_if_unused(&mut self, hardware: &mut dyn Hardware, space: SpaceId) {
        let mut alive = self.processes.values().filter(|process| process.ended.is_none());
        if !alive.any(|process| process.space == space) {
            self.spaces.end(hardware, space);
        }
    }

    /// Children whose parent ends are the first process's.
    fn leave_children(&mut self, parent: Id) {
        for child in self.processes.values_mut().filter(|each| each.parent == Some(parent)) {
            child.parent = Some(FIRST);
        }
    }

    fn tell_parent(&mut self, parent: Id, child: Id, status: ExitStatus) {
        let action = self.processes.get(&parent).map(|process| process.actions.get(number::CHLD));
        let is_kept = action.is_some_and(|action| {
            action.handler != handler::IGNORE && action.flags & flag::NO_CHILD_WAIT == 0
        });
        if !is_kept {
            self.processes.remove(&child);
        }
        let (code, status) = match status {
            ExitStatus::Exited(status) => (code::EXITED, i32::from(status)),
            ExitStatus::Killed(signal) => (code::KILLED, signal as i32),
        };
        let info = Info { code, origin: Origin::Process(child.0), status };
        self.send(parent, number::CHLD, info);
    }
}
