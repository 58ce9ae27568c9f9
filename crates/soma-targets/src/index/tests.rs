use super::*;
use proptest::prelude::*;

fn id(number: u16) -> ModelId {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    ModelId(bytes)
}

fn embedding(dim: usize) -> impl Strategy<Value = Embedding> {
    // Few different values, so that equal embeddings and equal distances are common.
    prop_oneof![
        prop::collection::vec((-2i8..=2).prop_map(f32::from), dim),
        prop::collection::vec(-1.0f32..1.0, dim),
    ]
    .prop_filter_map("zero", |values| Embedding::from_f32(&values).ok())
}

fn stake() -> impl Strategy<Value = Shannons> {
    prop_oneof![
        Just(Shannons(0)),
        Just(Shannons(1)),
        Just(Shannons(1_000_000_000)),
        (0u64..=10_000_000_000_000_000).prop_map(Shannons),
    ]
}

type World = (Vec<(u16, Embedding, Shannons)>, Vec<Embedding>);

fn world() -> impl Strategy<Value = World> {
    (1usize..80).prop_flat_map(|dim| {
        let models = prop::collection::vec((0u16..600, embedding(dim), stake()), 0..60);
        (models, prop::collection::vec(embedding(dim), 1..7))
    })
}

fn build(models: &[(u16, Embedding, Shannons)], dim: usize, kernel: Kernel) -> ModelIndex {
    let mut index = ModelIndex::new(dim);
    index.kernel = kernel;
    for (number, embedding, stake) in models {
        index
            .insert(id(*number), embedding.clone(), *stake)
            .unwrap();
    }
    index
}

proptest! {
    #[test]
    fn the_nearest_are_exact_on_every_kind_of_cpu((models, queries) in world(), k in 0usize..6) {
        for kernel in Kernel::all() {
            let index = build(&models, queries[0].dim(), kernel);
            let expected: Vec<_> =
                queries.iter().map(|query| index.nearest_reference(query, k)).collect();
            prop_assert_eq!(&index.nearest_batch(&queries, k), &expected, "{:?}", kernel);
            for (query, expected) in queries.iter().zip(&expected) {
                prop_assert_eq!(&index.nearest(query, k), expected);
            }
        }
    }

    #[test]
    fn changes_leave_the_same_index_as_building_it_anew(
        (models, queries) in world(),
        removed in prop::collection::vec(0u16..600, 0..40),
        restaked in prop::collection::vec((0u16..600, stake()), 0..20),
    ) {
        let dim = queries[0].dim();
        let mut index = build(&models, dim, Kernel::best());
        let mut rest: BTreeMap<u16, (Embedding, Shannons)> = BTreeMap::new();
        for (number, embedding, stake) in &models {
            rest.insert(*number, (embedding.clone(), *stake));
        }
        for number in &removed {
            index.remove(&id(*number));
            rest.remove(number);
        }
        for (number, stake) in &restaked {
            index.set_stake(&id(*number), *stake);
            if let Some(entry) = rest.get_mut(number) {
                entry.1 = *stake;
            }
        }
        prop_assert_eq!(index.len(), rest.len());
        let anew: Vec<_> = rest.into_iter().map(|(n, (e, s))| (n, e, s)).collect();
        let anew = build(&anew, dim, Kernel::best());
        for query in &queries {
            prop_assert_eq!(index.nearest(query, 3), anew.nearest_reference(query, 3));
        }
    }
}

#[test]
fn many_models_over_many_blocks_are_exact_with_one_and_two_threads() {
    use crate::draw_direction;
    let parent = soma_types::Digest([5; 32]);
    let dim = 96;
    let mut index = ModelIndex::new(dim);
    for number in 0..3_000u16 {
        let stake = Shannons(1_000_000_000 + u64::from(number % 7) * 500_000_000);
        index
            .insert(
                id(number),
                draw_direction(&parent, number.into(), dim),
                stake,
            )
            .unwrap();
    }
    let queries: Vec<_> = (0..9)
        .map(|n| draw_direction(&parent, 10_000 + n, dim))
        .collect();
    let expected: Vec<_> = queries
        .iter()
        .map(|query| index.nearest_reference(query, 3))
        .collect();
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        assert_eq!(pool.install(|| index.nearest_batch(&queries, 3)), expected);
    }
}

#[test]
fn other_dimensions_are_refused() {
    let mut index = ModelIndex::new(4);
    let three = Embedding::from_f32(&[1.0, 0.0, 0.0]).unwrap();
    let error = index.insert(id(1), three.clone(), Shannons(1)).unwrap_err();
    assert_eq!(error, DimensionMismatch { left: 4, right: 3 });
    assert!(index.is_empty());
    assert!(index.nearest(&three, 3).is_empty());
}
