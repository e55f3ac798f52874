//! Entering the guest: roots that arrived with it, its events, the clock of stolen time, and off.

use super::abi::shared;
use super::survey::Survey;
use super::tables::{Content, Refusal};
use super::vcpu::Paravirtual;
use crate::assumed;
use crate::error::HostError;
use crate::ledger::Activity;
use crate::supervisor::csr;
use crate::technique::{Phase, Site, Step};
use dcsim_hart::Privilege;
use dcsim_hart::csr::fields::{interrupt, satp};
use dcsim_machine::firmware::csr as machine;
use std::collections::BTreeSet;

impl Paravirtual {
    /// One step: from the monitor into the guest.
    pub(super) fn enter(&mut self, site: &mut Site<'_>) -> Result<Step, HostError> {
        if !self.arriving.is_empty() {
            return self.check_arrived(site);
        }
        self.pass_events(site)?;
        self.tell_stolen_time(site)?;
        self.hand_over_events(site)?;
        if let Err(message) = self.install_root(site)? {
            return Ok(Step::Fault(message));
        }
        let mut meter = site.meter();
        meter.write_csr(machine::MEPC, self.life.pc);
        meter.leave();
        site.book(Activity::Handler(self.life.reason));
        self.life.phase = Phase::Guest;
        Ok(Step::Done)
    }

    /// Checks and takes over the page tables of a guest that was saved.
    fn check_arrived(&mut self, site: &mut Site<'_>) -> Result<Step, HostError> {
        let memory = site.memory.reborrow();
        let mut survey = Survey::new(&memory, &self.map);
        self.arriving.iter().for_each(|root| survey.look_at_tree(*root));
        let shared = self.shared_pages();
        for page in &shared {
            survey.look_at_page(*page);
        }
        let frames = survey.frames(&self.names);
        if site.allocator.reserve(frames).is_err() {
            return Ok(Step::Memory(frames));
        }
        let arriving = std::mem::take(&mut self.arriving);
        let mut roots = BTreeSet::new();
        let taken = self.with_tables(site, |tables| {
            shared.into_iter().try_for_each(|page| tables.hold(page).map(drop))?;
            arriving.into_iter().try_for_each(|root| {
                tables.pin(root, Content::Entries)?;
                roots.insert(root);
                Ok(())
            })
        });
        self.agreement.roots = roots;
        match taken {
            Ok(()) => Ok(Step::Done),
            Err(Refusal::Host(error)) => Err(error),
            Err(Refusal::Guest(_)) => {
                Ok(Step::Fault("the saved page tables name what is not the guest's".to_owned()))
            }
        }
    }

    /// Lets the pCPU translate as the guest wants. The inner error is a saved state's.
    pub(super) fn install_root(
        &mut self,
        site: &mut Site<'_>,
    ) -> Result<Result<(), String>, HostError> {
        // A kernel in the mode of its programs is in none of their address spaces.
        let apart = self.in_user_mode() && self.life.guest.privilege == Privilege::Supervisor;
        let root = match self.root().filter(|_| !apart) {
            Some(root) => self.with_tables(site, |tables| tables.root_frame(root)),
            None if self.agreement.translated => Ok(self.window.kernel),
            None => Ok(self.window.bare),
        };
        let root = match root {
            Ok(root) => root,
            Err(Refusal::Host(error)) => return Err(error),
            Err(Refusal::Guest(_)) => return Ok(Err("the saved state is in no root".to_owned())),
        };
        let asid = if apart { 0 } else { satp::asid(self.life.guest.translation) };
        let value = satp::SV39 << 60 | u64::from(asid) << 44 | root.0 >> 12;
        let mut meter = site.meter();
        meter.assume(assumed::COMPARE_INSTALLED);
        if self.installed.replace(value) != Some(value) {
            meter.write_csr(csr::SATP, value);
        }
        Ok(Ok(()))
    }

    /// Tells the guest for how long it had no pCPU, if it was told that and has a page for it.
    fn tell_stolen_time(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        if self.stolen == 0 {
            return Ok(());
        }
        let ticks = std::mem::take(&mut self.stolen);
        self.change_shared(site, shared::STOLEN, |sum| sum.wrapping_add(ticks))
    }

    /// Passes on what devices have to say: sets bits in the shared page, and the software interrupt
    /// of supervisor mode.
    fn pass_events(&mut self, site: &mut Site<'_>) -> Result<(), HostError> {
        site.meter().load_state(1);
        if std::mem::take(&mut self.owed_interrupt) && self.in_user_mode() {
            self.change_shared(site, shared::PENDING, |pending| pending | shared::HART_EVENT)?;
        }
        if self.agreement.shared.is_none() || !site.board.lines(site.vcpu).supervisor_external {
            return Ok(());
        }
        let lines = self.take_lines(site);
        self.change_shared(site, shared::PENDING, |pending| pending | lines)?;
        if !self.in_user_mode() {
            site.meter().set_csr(machine::MIP, interrupt::SSIP);
        }
        Ok(())
    }
}
