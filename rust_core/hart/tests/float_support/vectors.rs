//! Runs files of test vectors: lines of operands, result and exception flags in hexadecimal.
//!
//! A file is named for its operation and, where that matters, its rounding mode, as in
//! `f64_add_rnear_even.txt`. Flags have the bit positions of `fflags`.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use dcsim_hart::float::{self, Double, Flags, Format, RoundingMode, Single};

type Evaluate = fn(&[u64], RoundingMode, &mut Flags) -> u64;

const MODE_NAMES: [(&str, RoundingMode); 5] = [
    ("_rnear_even", RoundingMode::NearestEven),
    ("_rminMag", RoundingMode::TowardZero),
    ("_rmin", RoundingMode::Down),
    ("_rmax", RoundingMode::Up),
    ("_rnear_maxMag", RoundingMode::NearestMaxMagnitude),
];

/// What became of one file.
#[derive(Debug)]
pub struct FileReport {
    pub name: String,
    pub vectors: u64,
    pub mismatches: u64,
    first_mismatch: Option<String>,
}

impl fmt::Display for FileReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:<28} {:>9} vectors, {} mismatches",
            self.name, self.vectors, self.mismatches
        )?;
        match &self.first_mismatch {
            Some(line) => write!(out, "; first: {line}"),
            None => Ok(()),
        }
    }
}

/// Runs every vector file of a folder, in the order of the names.
pub fn run_folder(folder: &Path) -> io::Result<Vec<FileReport>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| run_file(path)).collect()
}

fn run_file(path: &Path) -> io::Result<FileReport> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (operation, rounding) = split_mode(&name);
    let evaluate = find_operation(operation)
        .ok_or_else(|| invalid_data(format!("{name}: no such operation in this core")))?;
    let mut report = FileReport { name, vectors: 0, mismatches: 0, first_mismatch: None };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut line = String::new();
    while reader.read_line(&mut line)? != 0 {
        let matches = check_vector(line.trim_end(), evaluate, rounding)
            .ok_or_else(|| invalid_data(format!("{}: {line}", report.name)))?;
        report.vectors += 1;
        if !matches {
            report.mismatches += 1;
            report.first_mismatch.get_or_insert_with(|| line.trim_end().to_owned());
        }
        line.clear();
    }
    Ok(report)
}

fn invalid_data(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn split_mode(name: &str) -> (&str, RoundingMode) {
    MODE_NAMES
        .iter()
        .find_map(|(suffix, mode)| Some((name.strip_suffix(suffix)?, *mode)))
        .unwrap_or((name, RoundingMode::NearestEven))
}

/// Whether the vector holds, both from clear flags and with inexact already flagged: those may
/// take different ways through the core. `None` if the line is malformed.
fn check_vector(line: &str, evaluate: Evaluate, rounding: RoundingMode) -> Option<bool> {
    let mut fields = [0_u64; 5];
    let mut count = 0;
    for text in line.split_ascii_whitespace() {
        *fields.get_mut(count)? = u64::from_str_radix(text, 16).ok()?;
        count += 1;
    }
    let (operands, expected) = fields.get(..count)?.split_at(count.checked_sub(2)?);
    let expected_flags = Flags::from_bits(expected[1] as u8);
    Some([Flags::NONE, Flags::INEXACT].into_iter().all(|before| {
        let mut flags = before;
        let result = evaluate(operands, rounding, &mut flags);
        result == expected[0] && flags.bits() == expected_flags.bits() | before.bits()
    }))
}

fn find_operation(name: &str) -> Option<Evaluate> {
    match name {
        "f32_to_f64" => return Some(|x, _, flags| float::single_to_double(x[0] as u32, flags)),
        "f64_to_f32" => {
            return Some(|x, mode, flags| float::double_to_single(x[0], mode, flags).into());
        }
        _ => (),
    }
    let (source, rest) = name.split_once('_')?;
    match (source, rest) {
        ("f32", _) => find_float_operation::<Single>(rest),
        ("f64", _) => find_float_operation::<Double>(rest),
        (_, "to_f32") => find_from_integer::<Single>(source),
        (_, "to_f64") => find_from_integer::<Double>(source),
        _ => None,
    }
}

fn find_float_operation<F: Format>(name: &str) -> Option<Evaluate> {
    Some(match name {
        "add" => |x, mode, flags| {
            float::add::<F>(F::from_raw(x[0]), F::from_raw(x[1]), mode, flags).into()
        },
        "sub" => |x, mode, flags| {
            float::sub::<F>(F::from_raw(x[0]), F::from_raw(x[1]), mode, flags).into()
        },
        "mul" => |x, mode, flags| {
            float::mul::<F>(F::from_raw(x[0]), F::from_raw(x[1]), mode, flags).into()
        },
        "div" => |x, mode, flags| {
            float::div::<F>(F::from_raw(x[0]), F::from_raw(x[1]), mode, flags).into()
        },
        "sqrt" => |x, mode, flags| float::sqrt::<F>(F::from_raw(x[0]), mode, flags).into(),
        "mulAdd" => |x, mode, flags| {
            let [a, b, c] = [x[0], x[1], x[2]].map(F::from_raw);
            float::mul_add::<F>(a, b, c, mode, flags).into()
        },
        _ => return find_comparison::<F>(name).or_else(|| find_to_integer::<F>(name)),
    })
}

fn find_comparison<F: Format>(name: &str) -> Option<Evaluate> {
    Some(match name {
        "eq" => |x, _, flags| float::equal::<F>(F::from_raw(x[0]), F::from_raw(x[1]), flags).into(),
        "lt" => |x, _, flags| float::less::<F>(F::from_raw(x[0]), F::from_raw(x[1]), flags).into(),
        "le" => {
            |x, _, flags| float::less_equal::<F>(F::from_raw(x[0]), F::from_raw(x[1]), flags).into()
        }
        _ => return None,
    })
}

fn find_to_integer<F: Format>(name: &str) -> Option<Evaluate> {
    Some(match name {
        "to_i32" => {
            |x, mode, flags| u64::from(float::to_i32::<F>(F::from_raw(x[0]), mode, flags) as u32)
        }
        "to_ui32" => |x, mode, flags| float::to_u32::<F>(F::from_raw(x[0]), mode, flags).into(),
        "to_i64" => |x, mode, flags| float::to_i64::<F>(F::from_raw(x[0]), mode, flags) as u64,
        "to_ui64" => |x, mode, flags| float::to_u64::<F>(F::from_raw(x[0]), mode, flags),
        _ => return None,
    })
}

fn find_from_integer<F: Format>(source: &str) -> Option<Evaluate> {
    Some(match source {
        "i32" => |x, mode, flags| float::from_i32::<F>(x[0] as i32, mode, flags).into(),
        "ui32" => |x, mode, flags| float::from_u32::<F>(x[0] as u32, mode, flags).into(),
        "i64" => |x, mode, flags| float::from_i64::<F>(x[0] as i64, mode, flags).into(),
        "ui64" => |x, mode, flags| float::from_u64::<F>(x[0], mode, flags).into(),
        _ => return None,
    })
}
