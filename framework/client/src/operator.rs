//! Changing who belongs to a cluster, and to the groups of its keyspaces.

mod group;
mod rows;

use std::time::Duration;

use repertoire_core::{
    Catalogue, Descriptor, Error, ErrorKind, GroupMember, Incarnation, KeyspaceId, Member, NodeId,
    ShardId, Site,
};
use serde_json::json;

use crate::client::Client;
use crate::keyspace::Keyspace;
use group::{Place, View, Wish};

/// How long one group may take, when nobody says: a newcomer has to fetch all of its data first.
const PATIENCE: Duration = Duration::from_mins(10);

/// A node that is to join: formatted, running, and configured as the cluster was founded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Which.
    pub node: NodeId,
    /// Its disk: a node's name comes back with a fresh one only.
    pub incarnation: Incarnation,
    /// Where the others and clients reach it, as `host:port`.
    pub address: String,
    /// Its failure domain.
    pub site: Site,
}

/// What has become of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its keyspace.
    pub keyspace: String,
    /// Its shard.
    pub shard: ShardId,
    /// Who votes in it by now.
    pub voters: Vec<NodeId>,
    /// How long it took.
    pub took: Duration,
}

/// Who belongs to a group, as its leader knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// Its keyspace.
    pub keyspace: String,
    /// Its shard.
    pub shard: ShardId,
    /// Who leads.
    pub leader: NodeId,
    /// Whether nobody can take the newest change back any more.
    pub is_settled: bool,
    /// The members.
    pub members: Vec<GroupMember>,
}

/// Changes who belongs to a cluster, one group after the other, and one member of a group at a time. The
/// groups' own logs decide; the catalogue follows them.
///
/// Each of these goes on where an earlier call stopped, and does nothing where it is done: a call that
/// failed is made again. An addition is called off by removing the node.
///
/// ```no_run
/// # async fn demo(client: repertoire_client::Client) -> Result<(), repertoire_core::Error> {
/// use repertoire_core::NodeId;
/// let operator = client.operator().await?;
/// for group in operator.decommission(NodeId(3)).await? {
///     println!("{}/{} has {} voters", group.keyspace, group.shard.0, group.voters.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Operator {
    client: Client,
    catalogue: Keyspace,
    patience: Duration,
}

impl Client {
    /// Begins to change members.
    ///
    /// # Errors
    /// Those of [`keyspace`](Self::keyspace).
    pub async fn operator(&self) -> Result<Operator, Error> {
        Ok(Operator {
            client: self.clone(),
            catalogue: self.keyspace("catalogue").await?,
            patience: PATIENCE,
        })
    }
}

impl Operator {
    /// How long a group may take; ten minutes when nobody says. A change that is late goes on.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Takes a node into the cluster, and into the groups of these keyspaces; when none is named, of all
    /// whose members can change.
    /// In each it is a learner until it holds the data; then it votes, if it is to.
    ///
    /// # Errors
    /// `UnknownKeyspace`. `ConfigInvalid` when the node's name is taken by another disk, or its disk was
    /// removed before. `Timeout` when a group is late: then the change may still come about.
    pub async fn add(
        &self,
        newcomer: &Newcomer,
        keyspaces: &[String],
        votes: bool,
    ) -> Result<Vec<Changed>, Error> {
        let places = self.changeable(keyspaces).await?;
        self.enrol(&places, newcomer).await?;
        let mut done = Vec::new();
        for place in places {
            done.push(self.take_in(&place, newcomer, votes, None).await?);
        }
        Ok(done)
    }

    /// Puts a node in the place of another one, in every group that has that one: the newcomer learns all
    /// of its data and votes, then the other is removed, and leaves the cluster.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub async fn replace(&self, old: NodeId, newcomer: &Newcomer) -> Result<Vec<Changed>, Error> {
        if old == newcomer.node {
            return Err(Error::new(ErrorKind::ConfigInvalid, "replace a node")
                .with("node", old)
                .with("remedy", "remove it, then add it with its new disk"));
        }
        let places = self.places_without(old).await?;
        self.enrol(&places, newcomer).await?;
        let (mut done, mut last) = (Vec::new(), Vec::new());
        for place in places {
            // The node that goes hears of it in keyspace 0: it stays there to the end.
            let is_catalogue = place.keyspace == KeyspaceId::CATALOGUE;
            if self.has(&place, old).await? || is_catalogue {
                let replaced = Some(old).filter(|_| !is_catalogue);
                done.push(self.take_in(&place, newcomer, true, replaced).await?);
            }
            last.extend(Some(place).filter(|_| is_catalogue));
        }
        for place in last {
            done.push(self.let_go(&place, old).await?);
        }
        self.strike_off(old).await?;
        Ok(done)
    }

    /// Removes a node from the groups of these keyspaces; it stays in the cluster.
    ///
    /// # Errors
    /// `UnknownKeyspace`. `ConfigInvalid` when too few voters would be left, `Timeout` when a group is
    /// late, or does not dare: too few of those that would be left can be reached.
    pub async fn remove(&self, node: NodeId, keyspaces: &[String]) -> Result<Vec<Changed>, Error> {
        if keyspaces.iter().any(|name| name == "catalogue") {
            return Err(Error::new(ErrorKind::ConfigInvalid, "remove a member")
                .with("keyspace", "catalogue")
                .with("remedy", "a node leaves it last: decommission the node"));
        }
        let mut done = Vec::new();
        for place in self.places(keyspaces).await? {
            if place.keyspace != KeyspaceId::CATALOGUE {
                done.push(self.let_go(&place, node).await?);
            }
        }
        Ok(done)
    }

    /// Removes a node from every group, and from the cluster: nobody dials it or lets it in any more. It
    /// need not run. Its name may come back, with a fresh disk.
    ///
    /// # Errors
    /// Those of [`remove`](Self::remove).
    pub async fn decommission(&self, node: NodeId) -> Result<Vec<Changed>, Error> {
        let mut places = self.places_without(node).await?;
        // Keyspace 0 last: there the node hears that the others are done with it.
        places.rotate_left(1);
        let mut done = Vec::new();
        for place in places {
            if self.has(&place, node).await? {
                done.push(self.let_go(&place, node).await?);
            }
        }
        self.strike_off(node).await?;
        Ok(done)
    }

    /// Who belongs to the groups of these keyspaces; when none is named, of all whose members can change.
    ///
    /// # Errors
    /// `UnknownKeyspace`; `Unsupported` where members cannot change; `Timeout` where nobody leads.
    pub async fn members(&self, keyspaces: &[String]) -> Result<Vec<Belonging>, Error> {
        let mut all = Vec::new();
        for place in self.changeable(keyspaces).await? {
            if keyspaces.is_empty() || keyspaces.contains(&place.name) {
                all.push(self.leader(&place).await?.belonging(&place));
            }
        }
        Ok(all)
    }

    /// The catalogue as its leader knows it.
    ///
    /// # Errors
    /// Those of reading it.
    pub async fn catalogue(&self) -> Result<Catalogue, Error> {
        let rows = self.catalogue.level(repertoire_core::ReadLevel::Leader);
        let mut rows = rows.rows("", "");
        let mut catalogue = Catalogue::default();
        while let Some(page) = rows.next(rows::PAGE).await? {
            for row in page {
                catalogue.absorb(&row.key, &row.value)?;
            }
        }
        Ok(catalogue)
    }

    /// The groups of keyspaces by name, keyspace 0 first and always; of all, when none is named.
    async fn places(&self, keyspaces: &[String]) -> Result<Vec<Place>, Error> {
        let catalogue = self.catalogue().await?;
        for name in keyspaces {
            catalogue.by_name(name)?;
        }
        let is_meant = |it: &&std::sync::Arc<Descriptor>| {
            let is_named = keyspaces.is_empty() || keyspaces.contains(&it.name);
            is_named || it.id == KeyspaceId::CATALOGUE
        };
        let meant = catalogue.keyspaces().filter(is_meant);
        let places = meant.flat_map(|it| {
            let shards = it.placement.shards.keys();
            shards.map(|shard| Place {
                keyspace: it.id,
                name: it.name.clone(),
                shard: *shard,
            })
        });
        Ok(places.collect())
    }

    /// The same, without those whose members never change, unless they are named.
    async fn changeable(&self, keyspaces: &[String]) -> Result<Vec<Place>, Error> {
        let mut places = Vec::new();
        for place in self.places(keyspaces).await? {
            match self.leader(&place).await {
                Err(error) if *error.kind() == ErrorKind::Unsupported && keyspaces.is_empty() => {}
                Err(error) => return Err(error),
                Ok(_) => places.push(place),
            }
        }
        Ok(places)
    }

    async fn take_in(
        &self,
        place: &Place,
        newcomer: &Newcomer,
        votes: bool,
        replaces: Option<NodeId>,
    ) -> Result<Changed, Error> {
        let Newcomer {
            node, incarnation, ..
        } = *newcomer;
        let begin = std::time::Instant::now();
        self.check(place, newcomer).await?;
        self.expect(place, newcomer).await?;
        let is_done = |view: &View| {
            let is_gone = replaces.is_none_or(|old| view.member(old).is_none());
            is_gone && view.holds(node, incarnation, votes)
        };
        let replaced = replaces.map(|old| old.0);
        let begun = |view: &View| is_done(view) || view.is_joining(node, incarnation, replaces);
        let wish = Wish {
            change: json!({"add": {
                "node": node.0, "incarnation": incarnation.to_string(), "votes": votes, "replaces": replaced,
            }}),
            is_done: &is_done,
            is_begun: &begun,
        };
        let view = self.bring_about(place, &wish).await?;
        self.mirror(place, &view.members).await?;
        Ok(view.changed(place, begin.elapsed()))
    }

    async fn let_go(&self, place: &Place, node: NodeId) -> Result<Changed, Error> {
        let begin = std::time::Instant::now();
        let wish = Wish {
            change: json!({"remove": node.0}),
            is_done: &|view| view.member(node).is_none(),
            is_begun: &|view| view.member(node).is_none(),
        };
        let view = self.bring_about(place, &wish).await?;
        self.mirror(place, &view.members).await?;
        Ok(view.changed(place, begin.elapsed()))
    }

    /// The groups whose members can change. Refuses, before anything is changed, a node that has never
    /// belonged to the cluster, or that holds the data of another group.
    async fn places_without(&self, node: NodeId) -> Result<Vec<Place>, Error> {
        let refused = |kind, detail: &'static str| {
            let error = Error::new(kind, "change members").with("node", node);
            error.with("detail", detail)
        };
        let catalogue = self.catalogue().await?;
        if catalogue.all_members().all(|member| member.node != node) {
            let detail = "the cluster has never had that node";
            return Err(refused(ErrorKind::ConfigInvalid, detail));
        }
        let places = self.changeable(&[]).await?;
        for place in self.places(&[]).await? {
            if !places.contains(&place) && self.has(&place, node).await? {
                let detail = "its data cannot leave the node: the protocol does not change members";
                let error = refused(ErrorKind::Unsupported, detail);
                return Err(error.with("keyspace", &place.name));
            }
        }
        Ok(places)
    }

    /// A member's row, as long as it has not left.
    async fn enrolled(&self, node: NodeId) -> Result<Option<Member>, Error> {
        let catalogue = self.catalogue().await?;
        let mut members = catalogue.members();
        let member = members.find(|member| member.node == node);
        Ok(member.cloned())
    }
}
