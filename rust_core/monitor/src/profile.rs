//! The machine's part of a hardware profile, as the user's side hands it over.
//!
//! The text is JSON with exactly the keys below; a key too many or too few is an error, so that a
//! misspelt figure can never be taken for a default.

use crate::nodes::Numa;
use dcsim_hart::isa::InstructionClass;
use dcsim_hart::{DataCacheShape, IsaProfile, Missing, SecondStage, Timing, TlbShape};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Why a hardware profile was refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not JSON, or not with these keys.
    #[error("the hardware profile is not valid: {0}")]
    Format(#[from] serde_json::Error),
    /// A figure that no machine has.
    #[error("the hardware profile's `{key}` is not valid: {reason}")]
    Value {
        /// The key, with dots.
        key: String,
        /// What is wrong with its value.
        reason: &'static str,
    },
}

/// A kind of pCPU: its instruction set and what everything costs on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HardwareProfile {
    /// The instruction set.
    pub isa: IsaProfile,
    /// The extensions that it lacks of those.
    pub missing: Missing,
    /// What the second stage of translation can do, where the instruction set has one.
    pub second_stage: SecondStage,
    /// The costs.
    pub timing: Timing,
    /// The nodes of the machine, if memory is not equally near to all of its pCPUs.
    pub numa: Option<Numa>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileText {
    hz: u64,
    timebase_hz: u64,
    class_cycles: BTreeMap<String, u32>,
    trap_cycles: u64,
    return_cycles: u64,
    world_switch_cycles: u64,
    world_return_cycles: u64,
    walk_reference_cycles: u64,
    itlb: TlbText,
    dtlb: TlbText,
    device_access_cycles: u64,
    misaligned_cycles: u64,
    ipi_cycles: u64,
    data_cache: Option<DataCacheText>,
    numa: Option<NumaText>,
    isa: String,
    #[serde(default)]
    lacks: Vec<String>,
    second_stage: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlbText {
    entries: usize,
    ways: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataCacheText {
    bytes: usize,
    line_bytes: usize,
    ways: usize,
    miss_cycles: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumaText {
    nodes: usize,
    remote_cycles: u64,
}

/// More nodes than any machine has.
const MOST_NODES: usize = 64;

/// More entries than any TLB has; keeps a slip of the pen from filling memory.
const MOST_TLB_ENTRIES: usize = 1 << 16;

/// More bytes than any first-level cache has.
const MOST_CACHE_BYTES: usize = 1 << 30;

impl HardwareProfile {
    /// Reads a profile from JSON.
    pub fn from_json(text: &str) -> Result<Self, ProfileError> {
        let text: ProfileText = serde_json::from_str(text)?;
        let isa = IsaProfile::from_name(&text.isa).ok_or(value("isa", "no such profile"))?;
        let missing = Missing::from_letters(text.lacks.iter().map(String::as_str))
            .ok_or(value("lacks", "what can be missing is a, b, c, d or f"))?;
        positive("hz", text.hz)?;
        positive("timebase_hz", text.timebase_hz)?;
        positive("ipi_cycles", text.ipi_cycles)?;
        let timing = Timing {
            hz: text.hz,
            timebase_hz: text.timebase_hz,
            class_cycles: class_cycles(&text.class_cycles)?,
            trap_cycles: text.trap_cycles,
            return_cycles: text.return_cycles,
            world_switch_cycles: text.world_switch_cycles,
            world_return_cycles: text.world_return_cycles,
            walk_reference_cycles: text.walk_reference_cycles,
            itlb: tlb("itlb", &text.itlb)?,
            dtlb: tlb("dtlb", &text.dtlb)?,
            device_access_cycles: text.device_access_cycles,
            misaligned_cycles: text.misaligned_cycles,
            data_cache: text.data_cache.as_ref().map(data_cache).transpose()?,
            remote_cycles: text.numa.as_ref().map_or(0, |numa| numa.remote_cycles),
            ipi_cycles: text.ipi_cycles,
        };
        let numa = text.numa.as_ref().map(numa).transpose()?;
        let second_stage =
            if text.second_stage { SecondStage::Full } else { SecondStage::BareOnly };
        Ok(Self { isa, missing, second_stage, timing, numa })
    }
}

fn value(key: &str, reason: &'static str) -> ProfileError {
    ProfileError::Value { key: key.to_owned(), reason }
}

fn positive(key: &str, number: u64) -> Result<(), ProfileError> {
    if number == 0 { Err(value(key, "it must be at least 1")) } else { Ok(()) }
}

/// One figure for each class, none zero: an instruction that takes no time could loop for ever.
fn class_cycles(
    text: &BTreeMap<String, u32>,
) -> Result<[u32; InstructionClass::COUNT], ProfileError> {
    if let Some(name) = text.keys().find(|name| InstructionClass::from_name(name).is_none()) {
        return Err(value(&format!("class_cycles.{name}"), "no such instruction class"));
    }
    let mut cycles = [0; InstructionClass::COUNT];
    for class in InstructionClass::ALL {
        let key = format!("class_cycles.{}", class.name());
        let figure = text.get(class.name()).copied().ok_or(value(&key, "it is missing"))?;
        positive(&key, u64::from(figure))?;
        cycles[class as usize] = figure;
    }
    Ok(cycles)
}

fn tlb(key: &str, text: &TlbText) -> Result<TlbShape, ProfileError> {
    let TlbText { entries, ways } = *text;
    if entries == 0 || entries > MOST_TLB_ENTRIES {
        return Err(value(&format!("{key}.entries"), "it must be 1 to 65536"));
    }
    if ways == 0 || entries % ways != 0 {
        return Err(value(&format!("{key}.ways"), "it must divide the entries"));
    }
    if !(entries / ways).is_power_of_two() {
        return Err(value(&format!("{key}.ways"), "the sets must be a power of two"));
    }
    Ok(TlbShape { entries, ways })
}

fn data_cache(text: &DataCacheText) -> Result<DataCacheShape, ProfileError> {
    let DataCacheText { bytes, line_bytes, ways, miss_cycles } = *text;
    if !line_bytes.is_power_of_two() || !(8..=4096).contains(&line_bytes) {
        return Err(value("data_cache.line_bytes", "it must be a power of two, 8 to 4096"));
    }
    let set_bytes = ways.checked_mul(line_bytes).filter(|bytes| *bytes > 0);
    let sets = set_bytes.filter(|set| bytes % set == 0).map(|set| bytes / set);
    if bytes > MOST_CACHE_BYTES || !sets.is_some_and(usize::is_power_of_two) {
        return Err(value("data_cache.bytes", "the sets must be a power of two"));
    }
    Ok(DataCacheShape { bytes, line_bytes, ways, miss_cycles })
}

fn numa(text: &NumaText) -> Result<Numa, ProfileError> {
    if !(1..=MOST_NODES).contains(&text.nodes) {
        return Err(value("numa.nodes", "it must be 1 to 64"));
    }
    Ok(Numa { nodes: text.nodes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(change: impl Fn(&mut serde_json::Value)) -> String {
        let classes: BTreeMap<_, _> =
            InstructionClass::ALL.into_iter().map(|class| (class.name(), 2)).collect();
        let mut json = serde_json::json!({
            "hz": 2_000_000_000u64, "timebase_hz": 10_000_000, "class_cycles": classes,
            "trap_cycles": 40, "return_cycles": 20,
            "world_switch_cycles": 400, "world_return_cycles": 200, "walk_reference_cycles": 10,
            "itlb": {"entries": 32, "ways": 32}, "dtlb": {"entries": 64, "ways": 4},
            "device_access_cycles": 100, "misaligned_cycles": 3, "ipi_cycles": 2000,
            "data_cache": null, "isa": "rv64gc", "second_stage": true,
        });
        change(&mut json);
        json.to_string()
    }

    fn error(change: impl Fn(&mut serde_json::Value)) -> String {
        HardwareProfile::from_json(&text(change)).unwrap_err().to_string()
    }

    #[test]
    fn a_complete_profile_is_read() {
        let profile = HardwareProfile::from_json(&text(|_| {})).unwrap();
        assert_eq!(profile.timing.hz, 2_000_000_000);
        assert_eq!(profile.timing.dtlb, TlbShape { entries: 64, ways: 4 });
        let worlds = (profile.timing.world_switch_cycles, profile.timing.world_return_cycles);
        assert_eq!(worlds, (400, 200));
        assert_eq!(profile.timing.class_cycles, [2; InstructionClass::COUNT]);
        let cached = text(|json| {
            json["data_cache"] = serde_json::json!(
                {"bytes": 32768, "line_bytes": 64, "ways": 8, "miss_cycles": 12});
        });
        let shape = HardwareProfile::from_json(&cached).unwrap().timing.data_cache.unwrap();
        assert_eq!((shape.bytes, shape.ways), (32768, 8));
    }

    #[test]
    fn a_part_can_be_without_a_second_stage() {
        let read = |json: &str| HardwareProfile::from_json(json).unwrap().second_stage;
        assert_eq!(read(&text(|_| {})), SecondStage::Full);
        assert_eq!(read(&text(|json| json["second_stage"] = false.into())), SecondStage::BareOnly);
        assert!(error(|json| json["second_stage"] = 1.into()).contains("boolean"));
    }

    #[test]
    fn every_mistake_names_its_key() {
        assert!(error(|json| json["hz"] = 0.into()).contains("`hz`"));
        assert!(error(|json| json["speed"] = 1.into()).contains("speed"));
        assert!(error(|json| json["isa"] = "rv32".into()).contains("`isa`"));
        assert!(error(|json| json["lacks"] = vec!["m"].into()).contains("`lacks`"));
        assert!(error(|json| json["dtlb"]["ways"] = 5.into()).contains("`dtlb.ways`"));
        assert!(error(|json| json["class_cycles"]["alu"] = 0.into()).contains("class_cycles.alu"));
        assert!(
            error(|json| {
                json["class_cycles"].as_object_mut().unwrap().remove("csr");
            })
            .contains("`class_cycles.csr` is not valid: it is missing")
        );
    }
}
