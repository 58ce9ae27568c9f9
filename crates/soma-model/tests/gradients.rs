//! What training needs: SIGReg has the gradient of its formula.

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};
use soma_model::noise::sigreg_noise;
use soma_model::{Cpu, sigreg};

type Trained = Autodiff<Cpu>;

const PLACES: usize = 5;
const DIM: usize = 6;

fn sig_reg(numbers: &[f32]) -> (f64, Vec<f32>) {
    let device = Default::default();
    let data = TensorData::new(numbers.to_vec(), [1, PLACES, DIM]);
    let x = Tensor::<Trained, 3>::from_data(data, &device).require_grad();
    let noise = sigreg_noise(1, 0, DIM, sigreg::SLICES);
    let directions = sigreg::directions(noise, DIM, &device);
    let loss = sigreg::statistics(x.clone(), directions).mean();
    let gradient = x.grad(&loss.backward()).unwrap().into_data();
    (f64::from(loss.into_scalar()), gradient.to_vec().unwrap())
}

#[test]
fn sigreg_falls_along_its_gradient() {
    let start: Vec<f32> = (0..PLACES * DIM)
        .map(|at| ((at * 7 % 11) as f32 - 5.0) / 6.0)
        .collect();
    let (_, gradient) = sig_reg(&start);
    assert!(gradient.iter().any(|value| value.abs() > 1e-3));
    for (at, slope) in gradient.iter().enumerate() {
        let moved = |step: f32| {
            let mut numbers = start.clone();
            numbers[at] += step;
            sig_reg(&numbers).0
        };
        let step = 1e-2;
        let measured = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let difference = (measured - f64::from(*slope)).abs();
        assert!(
            difference < 2e-2 + 2e-2 * measured.abs(),
            "{at}: {measured} and {slope}"
        );
    }
}
