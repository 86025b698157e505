//! What the drawings promise to those who use them as photographs.

use super::*;

/// Lays pictures out in rows.
fn sheet(rows: &[Vec<RgbImage>]) -> RgbImage {
    let (w, h) = rows[0][0].dimensions();
    let columns = rows.iter().map(Vec::len).max().unwrap() as u32;
    let mut all = RgbImage::new(columns * w, rows.len() as u32 * h);
    for (y, row) in rows.iter().enumerate() {
        for (x, picture) in row.iter().enumerate() {
            image::imageops::replace(
                &mut all,
                picture,
                i64::from(x as u32 * w),
                i64::from(y as u32 * h),
            );
        }
    }
    all
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// For people: writes contact sheets into the directory `FACES_SHEETS`, by default a new one
/// among the temporary files. `FACES_FROM` is the first seed.
#[test]
#[ignore = "for looking at, not for checking"]
fn contact_sheets() {
    let place = std::env::var_os("FACES_SHEETS")
        .map_or_else(|| std::env::temp_dir().join("secondlook-faces"), std::path::PathBuf::from);
    std::fs::create_dir_all(&place).unwrap();
    let from = number("FACES_FROM", 1);
    let (w, h) = (288, 360);
    let people: Vec<Vec<RgbImage>> = (from..from + 4)
        .map(|seed| {
            let who = Identity::from_seed(seed);
            let mut row = vec![draw(&who, &Shot::document(seed), w, h)];
            row.extend((0..4).map(|i| draw(&who, &Shot::from_seed(seed * 10 + i), w, h)));
            row
        })
        .collect();
    sheet(&people).save(place.join("people.png")).unwrap();
    let many: Vec<Vec<RgbImage>> = (0..4)
        .map(|row| {
            (0..7)
                .map(|i| draw(&Identity::from_seed(from + row * 7 + i), &Shot::default(), 240, 300))
                .collect()
        })
        .collect();
    sheet(&many).save(place.join("many.png")).unwrap();
    let alike: Vec<Vec<RgbImage>> = (from..from + 3)
        .map(|seed| {
            let who = Identity::from_seed(seed);
            let near = [1.0, 0.9, 0.8, 0.7, 0.5].map(|n| who.look_alike(seed + 90, n));
            near.iter().map(|one| draw(one, &Shot::default(), w, h)).collect()
        })
        .collect();
    sheet(&alike).save(place.join("alike.png")).unwrap();
    let small: Vec<Vec<RgbImage>> = (from..from + 6)
        .map(|seed| {
            let who = Identity::from_seed(seed);
            (0..6)
                .map(|i| {
                    let full = draw(&who, &Shot::from_seed(seed * 10 + i), 480, 600);
                    let tiny = image::imageops::thumbnail(&full, 44, 50);
                    image::imageops::resize(&tiny, 176, 200, image::imageops::FilterType::Nearest)
                })
                .collect()
        })
        .collect();
    sheet(&small).save(place.join("small.png")).unwrap();
    let (who, shot) = (Identity::from_seed(from), Shot::default());
    let begun = std::time::Instant::now();
    for seed in 0..20 {
        let _ = draw(&Identity::from_seed(seed), &Shot::from_seed(seed), 480, 600);
    }
    println!("{:?} a picture", begun.elapsed() / 20);
    draw(&who, &shot, 480, 600).save(place.join("one.png")).unwrap();
    let pair = [(who, shot), (Identity::from_seed(from + 1), Shot::from_seed(5))];
    group(&pair, 600, 480).0.save(place.join("group.png")).unwrap();
    println!("{}", place.display());
}
