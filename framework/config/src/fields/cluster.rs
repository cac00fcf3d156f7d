//! What all nodes must say alike: the cluster.

use super::{FieldDoc, NOT_SET, REQUIRED};
use crate::kind::{Kind, Text};

pub(super) const FIELDS: &[FieldDoc] = &[
    FieldDoc::new(
        "cluster.name",
        REQUIRED,
        "The cluster's name, as in its certificates. The same on every node.",
    )
    .of(
        Kind::Text(Text::Label),
        "1 to 63 of a-z, 0-9 and `-`, with a letter or digit at both ends",
    ),
    FieldDoc::new(
        "cluster.nodes",
        REQUIRED,
        "The nodes: id and the address at which the others reach it. Ids are never used again.",
    )
    .of(
        Kind::NodeTable(Text::Address),
        "1 to 64 pairs `id = \"host:port\"`",
    ),
    FieldDoc::new("cluster.nodes.<id>", NOT_SET, "The address of one node.")
        .of(Kind::Text(Text::Address), "\"host:port\""),
    FieldDoc::new(
        "cluster.sites",
        "{}",
        "The failure domain of each node: id and site. Nodes that are not named are in \"main\".",
    )
    .of(
        Kind::NodeTable(Text::Site),
        "pairs `id = \"site\"` of nodes in cluster.nodes",
    ),
    FieldDoc::new("cluster.sites.<id>", "\"main\"", "The site of one node.")
        .of(Kind::Text(Text::Site), "a text of 1 to 64 characters"),
];
