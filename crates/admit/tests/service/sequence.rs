//! Any sequence of operations, at the server and at gates without a network: no ticket is on the
//! books more often than it allows, and every answer proves itself.

use std::collections::HashMap;

use admit_core::edge::{EdgeGate, EdgeSetup};
use admit_core::id::{DeviceNo, EventNo, GateNo, UnixMs};
use admit_core::log::note::NoteSigner;
use admit_core::log::validation::Validation;
use admit_core::spent::signer_name;
use admit_core::ticket::{Algorithm, SigningSecret};
use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::app::{NOW, TestApp, Who};

#[derive(Clone, Debug)]
enum Operation {
    Issue { max_uses: u8 },
    Verify { ticket: usize },
    Redeem { ticket: usize },
    Consume { ticket: usize },
    Revoke { ticket: usize },
    Offline { gate: usize, ticket: usize },
    Sync { gate: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    let (ticket, gate) = (0usize..4, 0usize..2);
    prop_oneof![
        2 => (0u8..4).prop_map(|max_uses| Operation::Issue { max_uses }),
        1 => ticket.clone().prop_map(|ticket| Operation::Verify { ticket }),
        3 => ticket.clone().prop_map(|ticket| Operation::Redeem { ticket }),
        3 => ticket.clone().prop_map(|ticket| Operation::Consume { ticket }),
        1 => ticket.clone().prop_map(|ticket| Operation::Revoke { ticket }),
        4 => (gate.clone(), ticket).prop_map(|(gate, ticket)| Operation::Offline { gate, ticket }),
        2 => gate.prop_map(|gate| Operation::Sync { gate }),
    ]
}

/// The server, two gates, and what was issued.
struct World {
    app: TestApp,
    key: Who,
    vkey: String,
    gates: Vec<(EdgeGate, NoteSigner)>,
    tickets: Vec<(String, u8)>,
    /// Entries that the server was told of, by digest.
    admitted: HashMap<String, u32>,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::start().await;
        admit::sandbox::open(&app.app).await.unwrap();
        let told = app.get(&Who::Anybody, "/v1/sandbox").await.json();
        let key = Who::Bearer(told["key"].as_str().unwrap().to_owned());
        let log = app.get(&Who::Anybody, "/v1/events/sandbox-edge/log").await.json();
        let vkey = log["vkey"].as_str().unwrap().to_owned();
        let (gates, tickets, admitted) = (Vec::new(), Vec::new(), HashMap::new());
        let mut world = Self { app, key, vkey, gates, tickets, admitted };
        for seed in [1u8, 2] {
            let gate = world.gate(seed).await;
            world.gates.push(gate);
        }
        world
    }

    async fn gate(&self, seed: u8) -> (EdgeGate, NoteSigner) {
        let secret = SigningSecret::from_seed(Algorithm::Ed25519, [seed; 32]);
        let key = BASE64URL_NOPAD.encode(&secret.public_key().unwrap());
        let body = json!({"event": "sandbox-edge", "name": "Gate", "publicKey": key});
        let setup: EdgeSetup =
            serde_json::from_value(self.ask("edge/devices", body).await).unwrap();
        let name = signer_name(EventNo(setup.event_number), DeviceNo(setup.device));
        let gate = setup.open(GateNo(u16::from(seed))).unwrap();
        (gate, NoteSigner::new(&name, &[seed; 32]).unwrap())
    }

    /// Asks, and checks the proof of the answer if it has one.
    async fn ask(&self, path: &str, body: Value) -> Value {
        let answer = self.app.post(&self.key, &format!("/v1/tickets/{path}"), body).await.json();
        let proof = &answer["merkle_validation"];
        if !proof.is_null() {
            let validation: Validation = serde_json::from_value(proof.clone()).unwrap();
            validation.check(&self.vkey).unwrap();
        }
        answer
    }

    async fn run(&mut self, operation: &Operation) {
        let at = |ticket: &usize| self.tickets.get(*ticket).map(|(token, _)| token.clone());
        let event = "sandbox-edge";
        match operation {
            Operation::Issue { max_uses } => {
                let body = json!({"event": event, "maxUses": max_uses});
                let token =
                    self.ask("edge/issue", body).await["token"].as_str().unwrap().to_owned();
                self.tickets.push((token, *max_uses));
            }
            Operation::Verify { ticket } => {
                if let Some(token) = at(ticket) {
                    let body = json!({"event": event, "token": token, "entryPoint": "gate-a"});
                    self.ask("verify", body).await;
                }
            }
            Operation::Redeem { ticket } => {
                if let Some(token) = at(ticket) {
                    let body = json!({"event": event, "token": token, "entryPoint": "gate-a"});
                    let answer = self.ask("redeem", body).await;
                    self.count(&answer, &answer["redeemed"]);
                }
            }
            Operation::Consume { ticket } => {
                if let Some(token) = at(ticket) {
                    let body = json!({"event": event, "token": token, "gate": "gate-b"});
                    let answer = self.ask("edge/consume", body).await;
                    self.count(&answer, &answer["consumed"]);
                }
            }
            Operation::Revoke { ticket } => {
                if let Some(token) = at(ticket) {
                    let body = json!({"event": event, "token": token, "entryPoint": "gate-a"});
                    let id = self.ask("verify", body).await["ticketId"].clone();
                    self.ask("revoke", json!({"ticketId": id})).await;
                }
            }
            Operation::Offline { gate, ticket } => {
                if let Some(token) = at(ticket) {
                    self.gates[*gate].0.consume(&token, UnixMs(NOW));
                }
            }
            Operation::Sync { gate } => {
                let (gate, signer) = &self.gates[*gate];
                let list = gate.spent_after(0).sign(signer).unwrap();
                self.ask("edge/spent/sync", json!({"event": event, "signed": list})).await;
            }
        }
    }

    fn count(&mut self, answer: &Value, admitted: &Value) {
        if admitted == true {
            let digest = answer["proofDigest"].as_str().unwrap().to_owned();
            *self.admitted.entry(digest).or_default() += 1;
        }
    }

    /// What must hold at any moment.
    async fn judge(&self) {
        for (token, max_uses) in &self.tickets {
            let body = json!({"event": "sandbox-edge", "token": token, "entryPoint": "gate-a"});
            let seen = self.ask("verify", body).await;
            let uses = seen["registry"]["uses"].as_u64().unwrap();
            let digest = seen["proofDigest"].as_str().unwrap();
            let told = u64::from(*self.admitted.get(digest).unwrap_or(&0));
            assert!(told <= uses, "an entry was told and not booked");
            if *max_uses == 0 {
                continue;
            }
            let max = u64::from(*max_uses);
            assert!(told <= max, "the server admitted {told} of {max}");
            // What gates did by themselves is booked all the same, and each entry too many is told.
            let path = "/v1/tickets/edge/conflicts?event=sandbox-edge";
            let conflicts = self.app.get(&self.key, path).await.json();
            let conflicts = conflicts.as_array().unwrap().iter();
            let conflicts = conflicts.filter(|conflict| conflict["digest"] == digest).count();
            assert_eq!(uses.saturating_sub(max), u64::try_from(conflicts).unwrap());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, ..ProptestConfig::default() })]
    #[test]
    fn no_sequence_of_operations_admits_more_than_a_ticket_allows_without_a_word(operations in prop::collection::vec(operation(), 1..30)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for operation in &operations {
                world.run(operation).await;
            }
            world.judge().await;
        });
    }
}
