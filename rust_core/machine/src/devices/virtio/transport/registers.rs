//! Offsets and bits of the memory-mapped transport (Virtio 1.2, section 4.2.2, table 4.1).

/// `MagicValue`.
pub const MAGIC_VALUE: u64 = 0x000;
/// `Version`.
pub const VERSION: u64 = 0x004;
/// `DeviceID`.
pub const DEVICE_ID: u64 = 0x008;
/// `VendorID`.
pub const VENDOR_ID: u64 = 0x00c;
/// `DeviceFeatures`.
pub const DEVICE_FEATURES: u64 = 0x010;
/// `DeviceFeaturesSel`.
pub const DEVICE_FEATURES_SELECT: u64 = 0x014;
/// `DriverFeatures`.
pub const DRIVER_FEATURES: u64 = 0x020;
/// `DriverFeaturesSel`.
pub const DRIVER_FEATURES_SELECT: u64 = 0x024;
/// `QueueSel`.
pub const QUEUE_SELECT: u64 = 0x030;
/// `QueueSizeMax`.
pub const QUEUE_SIZE_MAX: u64 = 0x034;
/// `QueueSize`.
pub const QUEUE_SIZE: u64 = 0x038;
/// `QueueReady`.
pub const QUEUE_READY: u64 = 0x044;
/// `QueueNotify`.
pub const QUEUE_NOTIFY: u64 = 0x050;
/// `InterruptStatus`.
pub const INTERRUPT_STATUS: u64 = 0x060;
/// `InterruptACK`.
pub const INTERRUPT_ACKNOWLEDGE: u64 = 0x064;
/// `Status`.
pub const STATUS: u64 = 0x070;
/// `QueueDescLow`, and its high half behind it.
pub const QUEUE_DESCRIPTOR: u64 = 0x080;
/// `QueueDriverLow`, and its high half behind it.
pub const QUEUE_DRIVER: u64 = 0x090;
/// `QueueDeviceLow`, and its high half behind it.
pub const QUEUE_DEVICE: u64 = 0x0a0;
/// `SHMLenLow` to `SHMBaseHigh`: there is no shared memory.
pub const SHARED_MEMORY: std::ops::Range<u64> = 0x0b0..0x0c0;
/// `ConfigGeneration`.
pub const CONFIG_GENERATION: u64 = 0x0fc;
/// The configuration space.
pub const CONFIG: u64 = 0x100;

/// "virt", little-endian.
pub const MAGIC: u32 = 0x7472_6976;
/// The version of a modern device.
pub const MODERN: u32 = 2;
/// "dcsi", little-endian.
pub const VENDOR: u32 = 0x6973_6364;

/// `VIRTIO_F_VERSION_1`.
pub const FEATURE_VERSION_1: u64 = 1 << 32;

/// Device status: the driver is ready.
pub const STATUS_DRIVER_OK: u32 = 4;
/// Device status: features are negotiated.
pub const STATUS_FEATURES_OK: u32 = 8;
/// Device status: the device cannot go on without a reset.
pub const STATUS_NEEDS_RESET: u32 = 64;

/// Interrupt status: a request was handed back.
pub const INTERRUPT_USED: u32 = 1;
/// Interrupt status: the configuration changed.
pub const INTERRUPT_CONFIG: u32 = 2;
