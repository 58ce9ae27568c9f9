//! The event stream: no gap and no duplicate, however often a client goes away and comes back.

use soma_api::{ErrorCode, EventId, EventMessage, EventView};
use soma_tests::world::Setup;
use soma_types::{Address, Epoch};

use crate::net::{Net, WorldNode, transfer};
use crate::sse::{Begin, Stream, ask};

/// A chain whose blocks have several events each.
async fn busy() -> WorldNode {
    WorldNode::start(Setup::default().models(3), |_| {}).await
}

/// Makes blocks: payments, and ends of epochs with their earnings and drawn targets.
async fn make_blocks(node: &WorldNode, epochs: std::ops::Range<u64>) {
    for epoch in epochs {
        for _ in 0..6 {
            let kind = transfer(Address([7; 32]), 1);
            node.api.execute(node.user(0), kind).await;
        }
        node.api.end_epoch(Epoch(epoch)).await;
    }
}

/// Places of all events so far, as the chain has them.
fn expected(node: &WorldNode) -> Vec<EventId> {
    let head = node.api.application.now().height();
    let block = |height| node.api.application.block(height).unwrap().unwrap();
    (1..=head)
        .flat_map(|height| {
            let events = u32::try_from(block(height).events.len()).unwrap();
            (0..=events).map(move |index| EventId { height, index })
        })
        .collect()
}

async fn read(stream: &mut Stream, count: usize) -> Vec<EventMessage> {
    let mut messages = Vec::with_capacity(count);
    while messages.len() < count {
        messages.push(stream.next().await.expect("more events").message());
    }
    messages
}

fn ids(messages: &[EventMessage]) -> Vec<EventId> {
    messages.iter().map(|message| message.id).collect()
}

#[tokio::test]
async fn a_stream_from_the_start_has_every_event_once_and_goes_on_live() {
    let node = busy().await;
    make_blocks(&node, 0..3).await;
    let before = expected(&node);
    assert!(before.iter().any(|id| id.index > 2), "blocks with events");
    let mut stream = Stream::open(&node.api, Begin::From("0".to_owned()), "").await;
    assert_eq!(ids(&read(&mut stream, before.len()).await), before);
    make_blocks(&node, 3..5).await;
    let after = expected(&node);
    let live = read(&mut stream, after.len() - before.len()).await;
    assert_eq!(ids(&live), after[before.len()..]);
    node.node.shutdown().await.unwrap();
}

#[tokio::test]
async fn clients_that_come_back_again_and_again_miss_nothing_and_see_nothing_twice() {
    let node = busy().await;
    make_blocks(&node, 0..1).await;
    let first = EventId {
        height: 1,
        index: 0,
    };
    // Each client reads some events, goes away and comes back, while blocks are made.
    let client = async |step: usize, by_header: bool, count: usize| {
        let (mut seen, mut begin) = (Vec::new(), Begin::at(first));
        while seen.len() < count {
            let mut stream = Stream::open(&node.api, begin, "").await;
            seen.extend(read(&mut stream, step.min(count - seen.len())).await);
            let EventId { height, index } = seen.last().unwrap().id;
            begin = match by_header {
                true => Begin::after(EventId { height, index }),
                false => Begin::at(EventId {
                    height,
                    index: index + 1,
                }),
            };
        }
        ids(&seen)
    };
    let count = expected(&node).len() + 60;
    let (_, one, two, five, thirteen) = tokio::join!(
        make_blocks(&node, 1..8),
        client(1, true, count),
        client(2, false, count),
        client(5, true, count),
        client(13, false, count),
    );
    let all = expected(&node);
    assert!(all.len() >= count, "{} events of {count}", all.len());
    for seen in [one, two, five, thirteen] {
        assert_eq!(seen, all[..count]);
    }
    node.node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_filtered_stream_is_the_whole_one_without_the_rest() {
    let node = busy().await;
    make_blocks(&node, 0..3).await;
    let count = expected(&node).len();
    let begin = || Begin::From("1:0".to_owned());
    let mut whole = Stream::open(&node.api, begin(), "").await;
    let whole = read(&mut whole, count).await;
    for types in [
        "block",
        "earning",
        "target_drawn,epoch_changed",
        "block, earning",
    ] {
        let names: Vec<_> = types.split(',').map(str::trim).collect();
        let wanted = |message: &&EventMessage| names.contains(&message.event.type_name());
        let wanted: Vec<_> = whole.iter().filter(wanted).cloned().collect();
        assert!(wanted.len() > 2, "{types}");
        let mut stream = Stream::open(&node.api, begin(), types).await;
        assert_eq!(read(&mut stream, wanted.len()).await, wanted, "{types}");
        let middle = wanted.len() / 2;
        let begin = Begin::after(wanted[middle - 1].id);
        let mut rest = Stream::open(&node.api, begin, types).await;
        assert_eq!(
            read(&mut rest, wanted.len() - middle).await,
            wanted[middle..]
        );
    }
    node.node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stream_without_a_place_begins_with_the_next_block() {
    let net = Net::start().await;
    net.api.assert_alive(net.key(0)).await;
    let head = net.api.application.now().height();
    let mut stream = Stream::open(&net.api, Begin::Now, "block").await;
    net.api.assert_alive(net.key(0)).await;
    let first = stream.next().await.unwrap().message();
    assert_eq!((first.id.height, first.id.index), (head + 1, 0));
    assert!(matches!(
        first.event,
        EventView::Block {
            transactions: 1,
            ..
        }
    ));
    net.finish().await;
}

#[tokio::test]
async fn what_the_client_has_seen_wins_over_where_it_wanted_to_begin() {
    let net = Net::start().await;
    for _ in 0..3 {
        net.api.assert_alive(net.key(0)).await;
    }
    let begin = Begin::Both("1".to_owned(), "2:0".to_owned());
    let mut stream = Stream::open(&net.api, begin, "block").await;
    let first = stream.next().await.unwrap().message();
    assert_eq!((first.id.height, first.id.index), (3, 0));
    net.finish().await;
}

#[tokio::test]
async fn unknown_types_and_bad_places_are_refused() {
    let net = Net::start().await;
    for types in [
        "nonsense",
        "Block",
        "block,",
        ",block",
        "",
        "block;earning",
        "%ff",
    ] {
        let answer = ask(&net.api, &format!("?types={types}"), None).await;
        let error = answer.error(ErrorCode::InvalidRequest);
        assert!(error.message.contains("target_filled"), "names the types");
    }
    for place in [
        "x",
        "",
        "-1",
        "1:",
        ":1",
        "1:2:3",
        "1:-1",
        "1.5",
        "1:4294967296",
    ] {
        ask(&net.api, &format!("?from={place}"), None)
            .await
            .error(ErrorCode::InvalidRequest);
        ask(&net.api, "", Some(place))
            .await
            .error(ErrorCode::InvalidRequest);
    }
    // A header names an event that was seen, so a height alone is not enough.
    ask(&net.api, "", Some("1"))
        .await
        .error(ErrorCode::InvalidRequest);
    ask(&net.api, "", Some("\u{e9}"))
        .await
        .error(ErrorCode::InvalidRequest);
    net.finish().await;
}

#[tokio::test]
async fn a_place_whose_block_was_dropped_is_refused_as_pruned() {
    let net = Net::start_with(|config| config.node.keep_blocks = Some(5)).await;
    // Newest blocks are also kept in memory; make more than those.
    for _ in 0..100 {
        net.api.assert_alive(net.key(0)).await;
    }
    for (query, last) in [("?from=1", None), ("?from=3:1", None), ("", Some("2:0"))] {
        let error = ask(&net.api, query, last).await.error(ErrorCode::Pruned);
        let lowest = error.details["lowest"].as_u64().unwrap();
        assert!(lowest > 10, "{error}");
        let mut stream = Stream::open(&net.api, Begin::From(lowest.to_string()), "block").await;
        let first = stream.next().await.unwrap().message();
        assert_eq!(first.id.height, lowest);
    }
    net.finish().await;
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_until_one_ends() {
    let net = Net::start_with(|config| config.node.rpc.max_event_streams = 2).await;
    let first = Stream::open(&net.api, Begin::Now, "").await;
    let second = Stream::open(&net.api, Begin::Now, "").await;
    ask(&net.api, "", None).await.error(ErrorCode::Overloaded);
    drop((first, second));
    // The node notices that a client went away when it has something to send.
    while !ask(&net.api, "", None).await.is_success() {
        net.api.assert_alive(net.key(0)).await;
    }
    net.finish().await;
}

#[tokio::test]
async fn streams_end_when_the_node_stops() {
    let net = Net::start().await;
    let mut stream = Stream::open(&net.api, Begin::Now, "").await;
    // A block may come before the stop.
    let end = async { while stream.next().await.is_some() {} };
    let ((), stopped) = tokio::join!(end, net.localnet.shutdown());
    stopped.unwrap();
}
