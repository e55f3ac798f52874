//! A reader of flattened device trees, for tests (Devicetree Specification 0.4, section 5).

use std::collections::BTreeMap;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOTHING: u32 = 4;

/// A node with its properties and children.
#[derive(Debug, Default)]
pub struct TreeNode {
    /// The values of the properties.
    pub properties: BTreeMap<String, Vec<u8>>,
    /// The children.
    pub children: BTreeMap<String, TreeNode>,
}

impl TreeNode {
    /// A child. Panics if there is none of this name.
    pub fn at(&self, name: &str) -> &Self {
        self.children.get(name).unwrap_or_else(|| panic!("no node {name}"))
    }

    /// A property as 32-bit cells. Panics if there is none of this name.
    pub fn cells(&self, name: &str) -> Vec<u32> {
        self.value(name)
            .chunks(4)
            .map(|cell| u32::from_be_bytes(cell.try_into().unwrap()))
            .collect()
    }

    /// A property as one string. Panics if there is none of this name.
    pub fn text(&self, name: &str) -> String {
        let value = self.value(name);
        String::from_utf8(value[..value.len() - 1].to_vec()).unwrap()
    }

    fn value(&self, name: &str) -> &[u8] {
        self.properties.get(name).unwrap_or_else(|| panic!("no property {name}"))
    }
}

/// Reads a tree. Panics where it is malformed.
pub fn parse_device_tree(bytes: &[u8]) -> TreeNode {
    let word = |index: usize| word_at(bytes, 4 * index) as usize;
    let mut reader = Reader { structure: &bytes[word(2)..], strings: &bytes[word(3)..], next: 0 };
    assert_eq!(reader.word(), BEGIN_NODE);
    assert_eq!(reader.string(), "");
    reader.node()
}

struct Reader<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
    next: usize,
}

impl Reader<'_> {
    fn node(&mut self) -> TreeNode {
        let mut node = TreeNode::default();
        loop {
            match self.word() {
                BEGIN_NODE => {
                    let name = self.string();
                    let child = self.node();
                    assert!(node.children.insert(name.clone(), child).is_none(), "{name} twice");
                }
                PROPERTY => {
                    let length = self.word() as usize;
                    let name = string_at(&self.strings[self.word() as usize..]);
                    let value = self.structure[self.next..self.next + length].to_vec();
                    self.next = (self.next + length).next_multiple_of(4);
                    assert!(node.properties.insert(name.clone(), value).is_none(), "{name} twice");
                }
                NOTHING => {}
                END_NODE => return node,
                token => panic!("unknown token {token}"),
            }
        }
    }

    fn word(&mut self) -> u32 {
        self.next += 4;
        word_at(self.structure, self.next - 4)
    }

    fn string(&mut self) -> String {
        let text = string_at(&self.structure[self.next..]);
        self.next = (self.next + text.len() + 1).next_multiple_of(4);
        text
    }
}

fn word_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_be_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

fn string_at(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap();
    String::from_utf8(bytes[..end].to_vec()).unwrap()
}
