//! Names of things on one host.

/// A VM of one host. Numbers are given in order of creation and never again.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VmId(pub u32);

impl std::fmt::Display for VmId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "VM {}", self.0)
    }
}

/// One of the vCPUs of a VM of one host.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VcpuId {
    /// The VM.
    pub vm: VmId,
    /// Its place in the VM: the number of the hart that the guest sees.
    pub vcpu: usize,
}

impl From<VmId> for VcpuId {
    /// The only vCPU of most VMs, and the one that starts each.
    fn from(vm: VmId) -> Self {
        Self { vm, vcpu: 0 }
    }
}

impl From<(VmId, usize)> for VcpuId {
    fn from((vm, vcpu): (VmId, usize)) -> Self {
        Self { vm, vcpu }
    }
}

impl std::fmt::Display for VcpuId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "vCPU {} of {}", self.vcpu, self.vm)
    }
}
