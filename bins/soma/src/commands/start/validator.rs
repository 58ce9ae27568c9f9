//! `soma start validator`.

use std::io::Write;

use clap::Args;
use serde_json::json;
use soma_node::arguments::NodeArguments;
use soma_node::node::{DOCUMENTED, run};

use crate::context::Context;
use crate::error::CliError;
use crate::output::Output;

/// Run a node, as `soma-node` does, until Ctrl-C; with its keys, it validates
#[derive(Clone, Debug, Args)]
pub struct StartValidator {
    /// Its settings.
    #[command(flatten)]
    pub arguments: NodeArguments,
}

impl StartValidator {
    pub(super) async fn run(self, context: &Context) -> Result<Output, CliError> {
        if self.arguments.print_config {
            return Ok(Output::new(&json!({ "config": DOCUMENTED }), DOCUMENTED));
        }
        #[cfg(target_os = "linux")]
        small_pages();
        let until = self.arguments.until();
        let config = self.arguments.into_config()?;
        let json = context.options.json;
        let node = run(config, until, |node| {
            let chain = node.application().chain();
            let url = format!("http://{}", node.rpc_address());
            let text = match json {
                true => {
                    let id = chain.chain_id();
                    json!({ "rpc_url": url, "chain_id": id }).to_string()
                }
                false => format!("Node is ready: {url}\nPress Ctrl-C to stop."),
            };
            let mut out = std::io::stdout();
            // Who started this may have closed its output; the node runs on.
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        });
        node.await?;
        Ok(Output::nothing())
    }
}

/// Large pages, which this program's allocator asks for, are for tensors. The many small things of a
/// node would take half as much memory again in them.
#[cfg(target_os = "linux")]
fn small_pages() {
    // Where the system cannot, it only takes more.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
