//! Snapshots of one node: made step by step while writes go on, stored as a file whose bytes and name
//! are durable only after a while.

use std::sync::Arc;

use repertoire_core::{NodeId, SnapshotMessage, SnapshotOrder, SnapshotPiece};

use super::node::{Offered, StoredSnapshot};
use super::{Event, World};
use crate::cast::Cast;
use crate::clock::MICRO;

impl<C: Cast> World<'_, C> {
    pub(crate) fn plan_snapshot_step(&mut self, n: usize, g: usize) {
        let boot = self.nodes[n].boot;
        let desk = &mut self.nodes[n].replicas[g].snapshots;
        if !desk.is_stepping {
            desk.is_stepping = true;
            let event = Event::SnapshotStep {
                node: n as u8,
                group: g as u8,
                boot,
            };
            self.agenda.after(200 * MICRO, event);
        }
    }

    pub(crate) fn on_snapshot_step(&mut self, n: usize, g: usize) {
        let now = self.now(n);
        let replica = &mut self.nodes[n].replicas[g];
        replica.snapshots.is_stepping = false;
        if let Some(host) = &mut replica.host {
            host.continue_snapshot(now);
            self.touched(n, g);
        }
    }

    pub(crate) fn perform_pieces(&mut self, n: usize, g: usize, pieces: &mut Vec<SnapshotPiece>) {
        for piece in pieces.drain(..) {
            let node = &mut self.nodes[n];
            let boot = node.boot;
            let desk = &mut node.replicas[g].snapshots;
            match piece {
                SnapshotPiece::Begin(_) => desk.building.clear(),
                SnapshotPiece::Chunk(rows) => desk.building.push(rows),
                SnapshotPiece::Finished(header) => {
                    let chunks = std::mem::take(&mut desk.building);
                    desk.finished = Some(Arc::new(StoredSnapshot { header, chunks }));
                    let mean = self.plan.disk.sync * 3;
                    let span = mean / 2 + self.rng.exponential(mean);
                    let event = Event::SnapshotStored {
                        node: n as u8,
                        group: g as u8,
                        boot,
                    };
                    self.agenda.after(span, event);
                }
            }
        }
    }

    /// The file is synced, renamed, and its folder synced.
    pub(crate) fn on_snapshot_stored(&mut self, n: usize, g: usize) {
        let now = self.now(n);
        let replica = &mut self.nodes[n].replicas[g];
        let desk = &mut replica.snapshots;
        let Some(stored) = desk.finished.take() else {
            return;
        };
        let position = stored.header.position;
        // A snapshot received meanwhile may reach further: the older file never replaces it.
        let is_newer = desk
            .durable
            .as_ref()
            .is_none_or(|known| known.header.position.lsn < position.lsn);
        if is_newer {
            desk.durable = Some(stored);
        }
        self.trace
            .note(7, (n as u64) << 8 | g as u64, position.lsn.0);
        let wanted = std::mem::take(&mut desk.wanted_by);
        if let Some(host) = &mut replica.host
            && is_newer
        {
            host.checkpointed(now, position);
            self.touched(n, g);
        }
        for peer in wanted {
            self.offer(n, g, peer);
        }
    }

    pub(crate) fn perform_snapshot_orders(
        &mut self,
        n: usize,
        g: usize,
        orders: &mut Vec<SnapshotOrder>,
    ) {
        for order in orders.drain(..) {
            match order {
                SnapshotOrder::Send { to, .. } => self.offer(n, g, to),
                SnapshotOrder::Fetch { from } => self.request_snapshot(n, g, from),
            }
        }
    }

    /// Offers the newest durable snapshot to a peer, or makes one first.
    pub(crate) fn offer(&mut self, n: usize, g: usize, to: NodeId) {
        let now = self.now(n);
        let replica = &mut self.nodes[n].replicas[g];
        let Some(stored) = replica.snapshots.durable.clone() else {
            if !replica.snapshots.wanted_by.contains(&to) {
                replica.snapshots.wanted_by.push(to);
            }
            if replica.snapshots.finished.is_none()
                && let Some(host) = &mut replica.host
            {
                host.begin_snapshot(now, repertoire_log_formats::row::ROW_TAG);
                self.touched(n, g);
            }
            return;
        };
        let desk = &mut replica.snapshots;
        let is_under_way = |known: &Offered| {
            known.to == to && known.stored.header.position == stored.header.position
        };
        if desk.offered.iter().any(is_under_way) {
            return;
        }
        desk.offered.retain(|known| known.to != to);
        let header = stored.header.clone();
        let heard = self.agenda.now();
        desk.offered.push(Offered { to, stored, heard });
        self.send_transfer(n, g, to, SnapshotMessage::Offer(header));
        self.plan_transfer_tick(n, g);
    }
}
