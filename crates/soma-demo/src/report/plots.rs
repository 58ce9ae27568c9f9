//! Plots as SVG.

use plotters::prelude::*;

use crate::outcome::Outcome;

type Plotted<T> = Result<T, Box<dyn std::error::Error>>;

/// Colours that differ also for those who see few.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

fn colour(place: usize) -> RGBColor {
    COLOURS[place % COLOURS.len()]
}

/// Bits per byte of each model while it was trained.
pub(super) fn curves(outcome: &Outcome) -> Plotted<String> {
    let points = outcome.models.iter().flat_map(|model| &model.curve);
    let last = points.clone().map(|(step, _)| *step).max().unwrap_or(1);
    let highest = points.map(|(_, value)| *value).fold(1.0, f64::max);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (720, 320)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .build_cartesian_2d(0..last, 0.0..highest * 1.05)?;
        chart
            .configure_mesh()
            .x_desc("step")
            .y_desc("bits per byte")
            .draw()?;
        for (place, model) in outcome.models.iter().enumerate() {
            let style = colour(place).stroke_width(2);
            chart
                .draw_series(LineSeries::new(model.curve.iter().copied(), style))?
                .label(&model.domain)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}

/// Bars with a name and a value each.
pub(super) fn bars(values: &[(String, f64)], unit: &str) -> Plotted<String> {
    let highest = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let highest = if highest > 0.0 { highest * 1.1 } else { 1.0 };
    let count = i32::try_from(values.len().max(1))?;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (720, 260)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d((0..count).into_segmented(), 0.0..highest)?;
        let name = |place: &SegmentValue<i32>| match place {
            SegmentValue::CenterOf(place) => usize::try_from(*place)
                .ok()
                .and_then(|place| values.get(place))
                .map_or_else(String::new, |(name, _)| name.clone()),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_label_formatter(&name)
            .y_desc(unit)
            .draw()?;
        for (place, (_, value)) in values.iter().enumerate() {
            let x = i32::try_from(place)?;
            let mut bar = Rectangle::new(
                [
                    (SegmentValue::Exact(x), 0.0),
                    (SegmentValue::Exact(x + 1), *value),
                ],
                colour(place).filled(),
            );
            bar.set_margin(0, 0, 16, 16);
            chart.draw_series([bar])?;
        }
        root.present()?;
    }
    Ok(svg)
}
