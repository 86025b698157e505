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
    draw(&who, &shot, 480, 600).save(place.join("one.png")).unwrap();
    let pair = [(who, shot), (Identity::from_seed(from + 1), Shot::from_seed(5))];
    group(&pair, 600, 480).0.save(place.join("group.png")).unwrap();
    println!("{}", place.display());
}

/// For people: how long a picture takes, in the profile this was built with; of `FACES_COUNT`.
#[test]
#[ignore = "for looking at, not for checking"]
fn pace() {
    let count = number("FACES_COUNT", 40) as u32;
    let begun = std::time::Instant::now();
    for seed in 0..u64::from(count) {
        let _ = draw(&Identity::from_seed(seed), &Shot::from_seed(seed), WIDTH, HEIGHT);
    }
    println!("{:?} a picture", begun.elapsed() / count);
}

const SMALL: (u32, u32) = (120, 150);

fn small(who: &Identity, shot: &Shot) -> RgbImage {
    draw(who, shot, SMALL.0, SMALL.1)
}

/// Mean difference of two pictures, 0 to 255 a channel.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(x, y)| u64::from(x.abs_diff(*y))).sum();
    sum as f64 / a.as_raw().len() as f64
}

/// The same pose in other circumstances: what a person must see through.
fn circumstances() -> Vec<Shot> {
    let usual = Shot::default();
    vec![
        Shot {
            light: Light { azimuth: 25.0, ..usual.light },
            noise: 0.3,
            grain: 9,
            ..usual.clone()
        },
        Shot { blur: 2.0, expression: Expression::Smile, ..usual.clone() },
        Shot { aged: 3.0, light: Light { strength: 0.9, warmth: 0.6, ..usual.light }, ..usual },
    ]
}

#[test]
fn the_same_seeds_give_the_same_bytes_and_others_do_not() {
    for seed in 0..4 {
        let picture = || small(&Identity::from_seed(seed), &Shot::from_seed(seed + 50));
        assert_eq!(picture(), picture(), "{seed}");
        assert_eq!(Identity::from_seed(seed), Identity::from_seed(seed));
        assert_ne!(Identity::from_seed(seed), Identity::from_seed(seed + 1));
        assert_ne!(picture(), small(&Identity::from_seed(seed), &Shot::from_seed(seed + 51)));
        assert_ne!(picture(), small(&Identity::from_seed(seed + 1), &Shot::from_seed(seed + 50)));
    }
}

#[test]
fn in_one_pose_a_person_looks_more_like_themselves_than_like_anybody_else() {
    let people: Vec<Identity> = (0..8).map(Identity::from_seed).collect();
    let known: Vec<RgbImage> = people.iter().map(|who| small(who, &Shot::default())).collect();
    for (i, who) in people.iter().enumerate() {
        for shot in circumstances() {
            let seen = small(who, &shot);
            let nearest = (0..known.len()).min_by(|&a, &b| {
                difference(&seen, &known[a]).total_cmp(&difference(&seen, &known[b]))
            });
            assert_eq!(nearest, Some(i), "person {i}");
        }
    }
}

#[test]
fn a_look_alike_moves_away_steadily_and_a_twin_not_at_all() {
    for seed in 0..12 {
        let who = Identity::from_seed(seed);
        assert_eq!(who.look_alike(seed + 7, 1.0), who);
        let likeness = |nearness| who.likeness(&who.look_alike(seed + 7, nearness));
        let falling = [1.0, 0.9, 0.7, 0.5, 0.0].map(likeness);
        assert!(falling.windows(2).all(|pair| pair[0] > pair[1]), "{seed}: {falling:?}");
        assert!(falling[0] > 0.9999);
    }
}

#[test]
fn a_sibling_is_nearer_than_strangers_are_and_yet_drawn_differently() {
    let who = Identity::from_seed(3);
    let sibling = who.look_alike(1, 0.8);
    for seed in 20..60 {
        assert!(who.likeness(&sibling) > who.likeness(&Identity::from_seed(seed)), "{seed}");
    }
    let shot = Shot::default();
    assert!(difference(&small(&who, &shot), &small(&sibling, &shot)) > 0.5);
}

#[test]
fn every_human_look_occurs() {
    let people: Vec<Identity> = (0..400).map(Identity::from_seed).collect();
    let styles: std::collections::HashSet<_> = people.iter().map(|p| p.hair.style).collect();
    let beards: std::collections::HashSet<_> = people.iter().map(|p| p.facial_hair).collect();
    assert_eq!((styles.len(), beards.len()), (15, 6));
    let some = |what: fn(&Identity) -> bool| people.iter().filter(|p| what(p)).count() > 20;
    assert!(some(|p| p.masculine > 0.7) && some(|p| p.masculine < 0.3));
    assert!(some(|p| p.age < 25.0) && some(|p| p.age > 65.0));
    assert!(some(|p| p.skin.melanin < 0.15) && some(|p| p.skin.melanin > 0.75));
    assert!(some(|p| p.lid_fold > 0.5) && some(|p| !p.marks.is_empty()));
    assert!(people.iter().all(|p| (18.0..=85.0).contains(&p.age)));
}

/// Where skin is, the picture is redder than the bluish wall behind it.
fn warm(picture: &RgbImage, x: f64, y: f64) -> bool {
    let [r, _, b] = picture.get_pixel(x as u32, y as u32).0;
    r > b
}

#[test]
fn the_box_holds_the_face_and_the_eyes_lie_in_it_side_by_side() {
    for seed in 0..40 {
        let (who, shot) = (Identity::from_seed(seed), Shot::from_seed(seed));
        let [x_min, y_min, x_max, y_max] = face_box(&who, &shot, WIDTH, HEIGHT);
        let [left, right] = eye_centres(&who, &shot, WIDTH, HEIGHT);
        assert!(left.0 < right.0, "{seed}");
        for (x, y) in [left, right] {
            assert!(x_min < x && x < x_max && y_min < y && y < y_max, "{seed}");
        }
        let tall = (y_max - y_min) / (x_max - x_min);
        assert!((0.9..1.8).contains(&tall), "{seed}: {tall}");
    }
}

#[test]
fn the_middle_of_the_box_is_skin_and_beside_it_is_wall() {
    let wall = Background::Plain([0.55, 0.68, 0.85]);
    for seed in 0..6 {
        let who = Identity::from_seed(seed);
        let shift = if seed % 2 == 0 { 0.12 } else { -0.12 };
        let shot = Shot {
            background: wall,
            shift: (shift, 0.0),
            mirror: seed > 2,
            scale: 0.7,
            ..Shot::default()
        };
        let picture = draw(&who, &shot, 240, 300);
        let [x_min, y_min, x_max, y_max] = face_box(&who, &shot, 240, 300);
        let (x, y) = ((x_min + x_max) / 2.0, y_min + (y_max - y_min) * 0.55);
        assert!(warm(&picture, x, y), "{seed}");
        let wide = x_max - x_min;
        let outside = if x > 120.0 { x_min - wide * 0.6 } else { x_max + wide * 0.6 };
        assert!(!warm(&picture, outside, y_min), "{seed}");
    }
}

#[test]
fn a_mirror_changes_sides_and_nothing_else() {
    let who = Identity::from_seed(5);
    let shot = Shot { yaw: 14.0, shift: (0.06, 0.0), ..Shot::default() };
    let mirrored = Shot { mirror: true, ..shot.clone() };
    let flipped = image::imageops::flip_horizontal(&small(&who, &mirrored));
    assert_eq!(flipped, small(&who, &shot));
    let [x_min, y_min, x_max, y_max] = face_box(&who, &shot, 120, 150);
    let there = face_box(&who, &mirrored, 120, 150);
    assert_eq!(there, [120.0 - x_max, y_min, 120.0 - x_min, y_max]);
}

#[test]
fn turning_the_head_moves_the_eyes_by_depth_and_not_just_aside() {
    let who = Identity::from_seed(2);
    let apart = |yaw: f32| {
        let shot = Shot { yaw, ..Shot::default() };
        let [left, right] = eye_centres(&who, &shot, WIDTH, HEIGHT);
        right.0 - left.0
    };
    assert!(apart(30.0) < apart(0.0) * 0.95, "foreshortened");
    let shot = Shot { roll: 15.0, ..Shot::default() };
    let [left, right] = eye_centres(&who, &shot, WIDTH, HEIGHT);
    assert!(right.1 > left.1 + 10.0, "leans clockwise");
}

#[test]
fn a_group_shows_each_person_in_a_place_of_their_own() {
    let people: Vec<(Identity, Shot)> =
        (1..3).map(|seed| (Identity::from_seed(seed), Shot::default())).collect();
    let (picture, boxes) = group(&people, 240, 160);
    assert_eq!(picture.dimensions(), (240, 160));
    assert_eq!(boxes.len(), 2);
    assert!(boxes[0][2] < boxes[1][0], "{boxes:?}");
    for [x_min, y_min, x_max, y_max] in boxes {
        assert!(warm(&picture, (x_min + x_max) / 2.0, y_min + (y_max - y_min) * 0.55));
        assert!(x_min > 0.0 && x_max < 240.0);
    }
}

#[test]
fn absurd_sizes_and_shots_are_drawn_or_left_empty_but_never_panic() {
    let who = Identity::from_seed(11);
    assert_eq!(draw(&who, &Shot::default(), 0, 100).dimensions(), (0, 100));
    assert!(group(&[], 10, 10).1.is_empty());
    for (w, h) in [(1, 1), (3, 900), (900, 3), (44, 50)] {
        assert_eq!(draw(&who, &Shot::from_seed(1), w, h).dimensions(), (w, h));
    }
    for extreme in [90.0, -90.0, 180.0, f32::NAN] {
        let shot = Shot {
            yaw: extreme,
            pitch: extreme,
            roll: extreme,
            scale: extreme,
            shift: (extreme, extreme),
            blur: extreme,
            noise: extreme,
            ..Shot::from_seed(3)
        };
        assert_eq!(small(&who, &shot).dimensions(), SMALL);
    }
    let all = [Glasses::Round, Glasses::Square, Glasses::HalfRim, Glasses::Sun];
    for (i, glasses) in all.into_iter().enumerate() {
        let plain = Shot::default();
        let worn = Shot { glasses, ..plain.clone() };
        assert_ne!(small(&who, &plain), small(&who, &worn), "{i}");
    }
}
