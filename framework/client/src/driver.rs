//! The tasks around the hub: one keeper for time and connections, one per connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use repertoire_core::{
    Catalogue, Descriptor, Error, ErrorKind, GroupId, KeyspaceId, NodeId, ReadLevel, ReadQuery,
};
use repertoire_wire::BoundedStr;
use repertoire_wire::client::AdminVerb;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::flight::ReadWaiter;
use crate::hub::{Ask, Hub, NewRead};
use crate::link::{Beats, Connected, Connector, Inbound, Outbound, Peer};

/// How often a node that owes an answer is listened to.
const LISTEN_EVERY: Duration = Duration::from_millis(100);

/// A node that says nothing at all for this long, though asked, is given up.
const SILENCE_MAX: Duration = Duration::from_millis(500);

/// Most members read at once.
const MEMBERS_MAX: u32 = 1024;

/// What all handles of a client share.
pub(crate) struct Driver {
    hub: Mutex<Hub>,
    /// Wakes the keeper.
    alarm: Notify,
    /// Wakes submitters that wait for room.
    room: Notify,
    connector: Box<dyn Connector>,
    runtime: Handle,
}

impl Driver {
    /// A driver without connections; its keeper runs on `runtime`.
    pub(crate) fn start(hub: Hub, connector: Box<dyn Connector>, runtime: Handle) -> Arc<Self> {
        let driver = Arc::new(Self {
            hub: Mutex::new(hub),
            alarm: Notify::new(),
            room: Notify::new(),
            connector,
            runtime,
        });
        driver.runtime.spawn(Arc::clone(&driver).keep());
        driver
    }

    /// Changes the hub, and wakes whoever the change concerns.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut Hub, Instant) -> T) -> T {
        let mut hub = self.hub.lock();
        let result = act(&mut hub, Instant::now());
        let (alarm, room) = (hub.take_alarm(), hub.take_room());
        drop(hub);
        if alarm {
            self.alarm.notify_one();
        }
        if room {
            self.room.notify_waiters();
        }
        result
    }

    /// Offers requests to the hub until it has taken all of them; waits for room in between.
    pub(crate) async fn take_in(&self, mut offer: impl FnMut(&mut Hub, Instant) -> bool) {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            let is_done = self.act(|hub, now| {
                let is_done = offer(hub, now);
                hub.kick();
                is_done
            });
            if is_done {
                return;
            }
            room.await;
        }
    }

    /// Ends everything.
    pub(crate) fn close(&self) {
        self.act(|hub, _| hub.close());
    }

    /// Waits on the driver's clock.
    pub(crate) async fn pause(&self, span: Duration) {
        let pause = {
            let _context = self.runtime.enter();
            tokio::time::sleep(span)
        };
        pause.await;
    }

    /// Connects to the first of the connector's beginnings that answers.
    ///
    /// # Errors
    /// That of the first one that refused, else that of the last one.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<(), Error> {
        let mut failure: Option<Error> = None;
        for peer in self.connector.beginnings() {
            match self.connector.connect(peer).await {
                Ok(connected) => {
                    let node = connected.node;
                    self.adopt(connected);
                    self.refresh_members(node);
                    return Ok(());
                }
                // A node that refuses tells more than one that is not there.
                Err(error) => match &failure {
                    Some(known) if *known.kind() != ErrorKind::Unavailable => {}
                    _ => failure = Some(error),
                },
            }
        }
        let remedy = "give the client a node of this process or an address";
        let nobody = || Error::new(ErrorKind::ConfigInvalid, "connect").with("remedy", remedy);
        Err(failure.unwrap_or_else(nobody))
    }

    /// Asks a node something administrative.
    pub(crate) async fn ask(
        &self,
        node: NodeId,
        verb: AdminVerb,
        args: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, Error> {
        let (waiter, answer) = oneshot::channel();
        let ask = Ask {
            verb,
            args,
            deadline,
            waiter,
        };
        self.act(|hub, now| hub.ask(node, ask, now));
        let gone = |_| Err(Error::new(ErrorKind::ShuttingDown, "ask"));
        answer.await.unwrap_or_else(gone)
    }

    /// Fetches the descriptor of a keyspace from the first node that answers.
    pub(crate) async fn resolve(
        &self,
        name: &str,
        deadline: Instant,
    ) -> Result<Arc<Descriptor>, Error> {
        let unknown = || Error::new(ErrorKind::UnknownKeyspace, "resolve").with("name", name);
        let mut failure = Error::new(ErrorKind::Unavailable, "resolve").with("name", name);
        let mut was_told = false;
        for node in self.act(|hub, _| hub.nodes()) {
            let keyspace = BoundedStr::new(name).ok_or_else(unknown)?;
            let verb = AdminVerb::Resolve { keyspace };
            match self.ask(node, verb, Bytes::new(), deadline).await {
                Ok(json) => {
                    let descriptor: Descriptor = serde_json::from_slice(&json).map_err(|e| {
                        Error::new(ErrorKind::Malformed, "resolve").with("detail", e)
                    })?;
                    let descriptor = Arc::new(descriptor);
                    self.act(|hub, _| hub.learn(Arc::clone(&descriptor)));
                    return Ok(descriptor);
                }
                Err(error) => {
                    // A node that may still learn of it outweighs one that does not know it.
                    let is_news = *failure.kind() != ErrorKind::Unavailable || !was_told;
                    was_told = true;
                    if is_news {
                        failure = error;
                    }
                }
            }
        }
        Err(failure)
    }

    async fn keep(self: Arc<Self>) {
        loop {
            let orders = self.act(Hub::tick);
            if self.hub.lock().is_closed() {
                return;
            }
            for node in orders.connect {
                self.runtime.spawn(Arc::clone(&self).open(node));
            }
            for (id, name) in orders.resolve {
                self.runtime.spawn(Arc::clone(&self).fetch(id, name));
            }
            match orders.wake {
                Some(at) => tokio::select! {
                    () = self.alarm.notified() => {}
                    () = sleep_until(at) => {}
                },
                None => self.alarm.notified().await,
            }
        }
    }

    async fn open(self: Arc<Self>, node: NodeId) {
        match self.connector.connect(Peer::Node(node)).await {
            Ok(connected) => self.adopt(connected),
            Err(error) => {
                self.act(|hub, now| {
                    hub.link_failed(node, &error, now);
                    hub.kick();
                });
                // Perhaps it has moved: another node may know.
                let others = self.act(|hub, _| hub.nodes());
                if let Some(other) = others.into_iter().find(|other| *other != node) {
                    self.refresh_members(other);
                }
            }
        }
    }

    async fn fetch(self: Arc<Self>, id: KeyspaceId, name: String) {
        let deadline = Instant::now() + crate::options::DEADLINE;
        if let Err(error) = self.resolve(&name, deadline).await {
            tracing::warn!(%id, %error, "A descriptor could not be fetched");
        }
    }

    fn adopt(self: &Arc<Self>, connected: Connected) {
        let Connected {
            node,
            credit,
            outbound,
            inbound,
            pulse,
        } = connected;
        let link = self.act(|hub, now| {
            let link = hub.link_up(node, credit, now);
            hub.kick();
            link
        });
        if let Some((generation, work)) = link {
            let driver = Arc::clone(self);
            self.runtime.spawn(async move {
                let error = tokio::select! {
                    error = driver.write(node, generation, &work, outbound) => error,
                    error = driver.read(node, generation, inbound) => error,
                    error = driver.listen(node, generation, pulse) => error,
                };
                driver.act(|hub, now| {
                    hub.link_broken(node, generation, &error, now);
                    hub.kick();
                });
            });
        }
    }

    async fn write(
        &self,
        node: NodeId,
        generation: u64,
        work: &Notify,
        mut outbound: Box<dyn Outbound>,
    ) -> Error {
        loop {
            match self.act(|hub, _| hub.gather(node, generation)) {
                None => return Error::new(ErrorKind::ShuttingDown, "send"),
                Some(burst) if burst.is_empty() => {
                    work.notified().await;
                    // Callers that were woken together submit together: what they all have to say
                    // leaves in one burst, where the first of them alone would begin a small one.
                    tokio::task::yield_now().await;
                }
                Some(burst) => {
                    if let Err(error) = outbound.send(burst).await {
                        return error;
                    }
                }
            }
        }
    }

    async fn read(&self, node: NodeId, generation: u64, mut inbound: Box<dyn Inbound>) -> Error {
        let mut arrivals = Vec::new();
        loop {
            let received = inbound.receive(&mut arrivals).await;
            self.act(|hub, now| hub.settle(node, generation, &mut arrivals, now));
            if let Err(error) = received {
                return error;
            }
        }
    }

    /// Ends the connection to a node that keeps silent while something is asked of it. What it may
    /// have done is asked for elsewhere, under the same numbers.
    async fn listen(&self, node: NodeId, generation: u64, pulse: Option<Box<dyn Beats>>) -> Error {
        let Some(mut pulse) = pulse else {
            return std::future::pending().await;
        };
        let mut silent_for = Duration::ZERO;
        while silent_for < SILENCE_MAX {
            tokio::time::sleep(LISTEN_EVERY).await;
            let is_waiting = self.hub.lock().is_waiting_for(node, generation);
            if is_waiting && !pulse.beats() {
                silent_for += LISTEN_EVERY;
            } else {
                silent_for = Duration::ZERO;
            }
        }
        self.act(|hub, now| hub.avoid(node, now));
        let detail = "the node is silent, and so is the network on its behalf";
        Error::new(ErrorKind::Unavailable, "receive").with("detail", detail)
    }

    /// Reads the addresses of the cluster's nodes from its catalogue.
    fn refresh_members(self: &Arc<Self>, node: NodeId) {
        if !self.connector.wants_members() {
            return;
        }
        let driver = Arc::clone(self);
        self.runtime.spawn(async move {
            if let Err(error) = driver.read_members(node).await {
                tracing::debug!(%error, "The members could not be read");
            }
        });
    }

    async fn read_members(&self, node: NodeId) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let mut read = Some(NewRead {
            group: GroupId::CATALOGUE,
            level: ReadLevel::Local,
            query: ReadQuery::Scan {
                from: Bytes::from_static(b"member/"),
                to: Bytes::from_static(b"member0"),
                limit: MEMBERS_MAX,
            },
            node: Some(node),
            waiter: ReadWaiter::Call(reply),
            deadline: Instant::now() + crate::options::DEADLINE,
            trace: None,
        });
        self.take_in(|hub, _| {
            hub.read(&mut read);
            read.is_none()
        })
        .await;
        let gone = |_| Err(Error::new(ErrorKind::ShuttingDown, "read the members"));
        let (_, answer) = answer.await.unwrap_or_else(gone)?;
        let mut catalogue = Catalogue::default();
        if let repertoire_core::Answer::Rows(rows) = answer {
            for row in rows {
                catalogue.absorb(&row.key, &row.value)?;
            }
        }
        self.connector.learn(catalogue.members().cloned().collect());
        Ok(())
    }
}
