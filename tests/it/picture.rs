//! Pictures from the link to the terminal: a loopback server for the fetcher, files made here for the
//! decoder, and small decoders for everything that is encoded. No photograph, no network.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage, imageops};
use proptest::prelude::*;
use secondlook::domain::{BoundingBox, Link, SessionId};
use secondlook::picture::protocol::PROTOCOLS;
use secondlook::picture::{
    Aim, Area, Breach, CellMode, CellPicture, Colours, DecodeError, EncodeError, EncodeOptions,
    Encoded, FaceFinder, FetchError, Fetcher, Fitted, Format, Ground, Ink, Key, Limits, Pane,
    PictureBytes, Portrait, Protocol, Region, Rules, Side, Tier, Vault, View, Wrap, decode, encode,
    fit, likely_face,
};
use secondlook::sim::faces::{self, Identity, Shot};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::shown;

// --- files made here ---

/// Something like a face: an oval with eyes and a mouth before a graded ground.
fn drawn(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let u = f64::from(x) / f64::from(width) * 2.0 - 1.0;
        let v = f64::from(y) / f64::from(height) * 2.0 - 1.0;
        let oval = u * u / 0.36 + v * v / 0.56;
        let eye = |at: f64| (u - at).powi(2) / 0.01 + (v + 0.15).powi(2) / 0.004;
        let mouth = u * u / 0.06 + (v - 0.4).powi(2) / 0.003;
        let shade = |base: f64, light: f64| (base + 40.0 * light).clamp(0.0, 255.0) as u8;
        if eye(-0.25) < 1.0 || eye(0.25) < 1.0 {
            Rgb([40, 30, 25])
        } else if mouth < 1.0 {
            Rgb([150, 60, 60])
        } else if oval < 1.0 {
            Rgb([shade(190.0, -u), shade(140.0, -u), shade(115.0, -u)])
        } else {
            Rgb([shade(70.0, v), shade(90.0, u), shade(120.0, -v)])
        }
    })
}

fn png_of(image: &RgbImage) -> Vec<u8> {
    file(image, 1, Format::Png)
}

/// A little-endian EXIF block that holds an orientation and nothing else.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
    block
}

fn file(image: &RgbImage, orientation: u8, format: Format) -> Vec<u8> {
    let (width, height) = image.dimensions();
    let mut bytes = Vec::new();
    let colour = ExtendedColorType::Rgb8;
    match format {
        Format::Png => {
            let mut encoder = PngEncoder::new(&mut bytes);
            encoder.set_exif_metadata(exif(orientation)).unwrap();
            encoder.write_image(image, width, height, colour).unwrap();
        }
        Format::Jpeg => {
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
            encoder.set_exif_metadata(exif(orientation)).unwrap();
            encoder.write_image(image, width, height, colour).unwrap();
        }
        Format::Webp => {
            let mut encoder = WebPEncoder::new_lossless(&mut bytes);
            encoder.set_exif_metadata(exif(orientation)).unwrap();
            encoder.write_image(image, width, height, colour).unwrap();
        }
        Format::Tiff => {
            let encoder = TiffEncoder::new(Cursor::new(&mut bytes));
            encoder.write_image(image, width, height, colour).unwrap();
        }
    }
    bytes
}

fn picture(bytes: Vec<u8>) -> PictureBytes {
    PictureBytes::new(Zeroizing::new(bytes)).unwrap()
}

fn portrait(image: &RgbImage) -> Portrait {
    decode(&picture(png_of(image)), 0, &Limits::default()).unwrap()
}

fn pixel(portrait: &Portrait, x: u32, y: u32) -> [u8; 3] {
    let at = ((y * portrait.width() + x) * 3) as usize;
    portrait.pixels()[at..at + 3].try_into().unwrap()
}

fn mean_error(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

// --- fetching ---

/// Serves one answer a connection on loopback, then ends; gives the request heads it read.
async fn serve(answers: Vec<Vec<u8>>) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            heads.push(String::from_utf8(head).unwrap());
            // A client that has seen enough may hang up first.
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
        heads
    });
    (port, heads)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn ok(body: &[u8]) -> Vec<u8> {
    answer("200 OK", &format!("content-length: {}\r\n", body.len()), body)
}

fn loopback() -> Rules {
    Rules { allow_loopback_http: true, ..Rules::default() }
}

async fn fetched(rules: Rules, answers: Vec<Vec<u8>>) -> Result<PictureBytes, FetchError> {
    let (port, _heads) = serve(answers).await;
    let link = Link::new(format!("http://127.0.0.1:{port}/face?X-Amz-Signature=secret"));
    Fetcher::new(rules).unwrap().fetch(&link).await
}

#[tokio::test]
async fn a_picture_is_fetched_with_nothing_but_the_request() {
    let body = png_of(&drawn(8, 8));
    let set_cookie = format!("set-cookie: a=b\r\ncontent-length: {}\r\n", body.len());
    // The content type lies; the bytes do not.
    let lie = format!("content-type: text/html\r\n{set_cookie}");
    let twice = vec![answer("200 OK", &lie, &body), ok(&body)];
    let (port, heads) = serve(twice).await;
    let fetcher = Fetcher::new(loopback()).unwrap();
    let link = Link::new(format!("http://127.0.0.1:{port}/face?X-Amz-Signature=secret"));
    let picture = fetcher.fetch(&link).await.unwrap();
    assert_eq!((picture.bytes(), picture.format()), (&body[..], Format::Png));
    assert_eq!(picture.sha256().len(), 64);
    fetcher.fetch(&link).await.unwrap();
    for head in heads.await.unwrap() {
        let mut names: Vec<&str> =
            head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host", "user-agent"], "{head}");
    }
    assert!(!format!("{fetcher:?}{picture:?}").contains("secret"));
}

#[tokio::test]
async fn a_body_is_bounded_whatever_it_claims() {
    let body = png_of(&drawn(16, 16));
    let most = |max_bytes| Rules { max_bytes, ..loopback() };
    let open = answer("200 OK", "", &body);
    let result = fetched(most(body.len()), vec![open.clone()]).await;
    assert_eq!(result.unwrap().bytes(), body);
    let result = fetched(most(body.len() - 1), vec![open]).await;
    assert_eq!(result.unwrap_err(), FetchError::TooLarge);
    let boast = answer("200 OK", "content-length: 99999999999\r\n", &body);
    let result = fetched(loopback(), vec![boast]).await;
    assert_eq!(result.unwrap_err(), FetchError::TooLarge);
    let chunk = format!("{:x}\r\n", body.len());
    let chunked = [chunk.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    let chunked = answer("200 OK", "transfer-encoding: chunked\r\n", &chunked);
    let result = fetched(most(body.len() - 1), vec![chunked.clone()]).await;
    assert_eq!(result.unwrap_err(), FetchError::TooLarge);
    assert_eq!(fetched(loopback(), vec![chunked]).await.unwrap().bytes(), body);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_picture() {
    let body = png_of(&drawn(16, 16));
    let claimed = format!("content-length: {}\r\n", body.len() + 1);
    let result = fetched(loopback(), vec![answer("200 OK", &claimed, &body)]).await;
    assert_eq!(result.unwrap_err(), FetchError::Network);
}

#[tokio::test]
async fn only_pictures_are_pictures() {
    for body in [&b"<html>"[..], b"", b"GIF89a", b"\x1f\x8b\x08"] {
        let typed = format!("content-type: image/jpeg\r\ncontent-length: {}\r\n", body.len());
        let result = fetched(loopback(), vec![answer("200 OK", &typed, body)]).await;
        assert_eq!(result.unwrap_err(), FetchError::NotAnImage);
    }
}

#[tokio::test]
async fn refusals_are_sorted() {
    for (status, wanted) in [
        ("403 Forbidden", FetchError::Refused(403)),
        ("404 Not Found", FetchError::Refused(404)),
        ("410 Gone", FetchError::Refused(410)),
        ("400 Bad Request", FetchError::Refused(400)),
        ("429 Too Many", FetchError::Busy(429, Some(Duration::from_secs(7)))),
        ("503 Unavailable", FetchError::Busy(503, Some(Duration::from_secs(7)))),
        ("204 No Content", FetchError::Status(204)),
    ] {
        let answers = vec![answer(status, "retry-after: 7\r\ncontent-length: 0\r\n", b"")];
        assert_eq!(fetched(loopback(), answers).await.unwrap_err(), wanted);
    }
}

fn moved(to: &str) -> Vec<u8> {
    answer("302 Found", &format!("location: {to}\r\ncontent-length: 0\r\n"), b"")
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_judged_each_time() {
    let body = png_of(&drawn(8, 8));
    let three = vec![moved("/a"), moved("b"), moved("/c?d"), ok(&body)];
    assert_eq!(fetched(loopback(), three).await.unwrap().bytes(), body);
    let four = vec![moved("/a"), moved("/b"), moved("/c"), moved("/d"), ok(&body)];
    let too_often = FetchError::Forbidden(Breach::Redirect);
    assert_eq!(fetched(loopback(), four).await.unwrap_err(), too_often);
    for (to, breach) in [
        ("http://169.254.169.254/latest/meta-data", Breach::NotHttps),
        ("https://169.254.169.254/latest/meta-data", Breach::Inward),
        ("https://[::ffff:169.254.169.254]/", Breach::Inward),
        ("https://10.0.0.1/", Breach::Inward),
        ("https://user:pw@media.example/", Breach::UserInfo),
        ("http://media.example/", Breach::NotHttps),
        ("file:///etc/passwd", Breach::NotALink),
    ] {
        let error = fetched(loopback(), vec![moved(to)]).await.unwrap_err();
        assert_eq!(error, FetchError::Forbidden(breach), "{to}");
    }
    let nowhere = answer("302 Found", "content-length: 0\r\n", b"");
    assert_eq!(fetched(loopback(), vec![nowhere]).await.unwrap_err(), too_often);
}

#[tokio::test]
async fn a_name_that_leads_inward_is_not_followed() {
    let fetcher = Fetcher::new(Rules::default()).unwrap();
    let (port, heads) = serve(vec![ok(b"unused")]).await;
    let link = Link::new(format!("https://localhost:{port}/face?X-Amz-Signature=secret"));
    let error = fetcher.fetch(&link).await.unwrap_err();
    assert_eq!(error, FetchError::Forbidden(Breach::Inward));
    assert!(!heads.is_finished(), "nothing may have connected");
    let said = format!("{error} {error:?}");
    assert!(!said.contains("secret") && !said.contains("localhost"), "{said}");
    // The same name is followed where the API's own base is loopback.
    let body = png_of(&drawn(8, 8));
    let (port, _heads) = serve(vec![ok(&body)]).await;
    let link = Link::new(format!("http://localhost:{port}/face"));
    let fetcher = Fetcher::new(loopback()).unwrap();
    assert_eq!(fetcher.fetch(&link).await.unwrap().bytes(), body);
}

#[tokio::test]
async fn a_silent_host_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let rules = Rules { total: Duration::from_millis(50), ..loopback() };
    let link = Link::new(format!("http://127.0.0.1:{port}/face"));
    let error = Fetcher::new(rules).unwrap().fetch(&link).await.unwrap_err();
    assert_eq!(error, FetchError::Timeout);
    drop(listener);
    let error = Fetcher::new(loopback()).unwrap().fetch(&link).await.unwrap_err();
    assert_eq!(error, FetchError::Network);
}

// --- decoding ---

#[test]
fn four_formats_are_decoded() {
    let image = drawn(60, 40);
    for (format, tolerance) in
        [(Format::Png, 0.0), (Format::Webp, 0.0), (Format::Tiff, 0.0), (Format::Jpeg, 3.0)]
    {
        let bytes = picture(file(&image, 1, format));
        assert_eq!(bytes.format(), format);
        let portrait = decode(&bytes, 0, &Limits::default()).unwrap();
        assert_eq!((portrait.width(), portrait.height()), (60, 40));
        assert_eq!(portrait.sha256(), bytes.sha256());
        let error = mean_error(portrait.pixels(), &image);
        assert!(error <= tolerance, "{format:?}: {error}");
        assert_eq!(format!("{portrait:?}"), "Portrait(60x40)");
    }
}

#[test]
fn every_orientation_is_set_upright_in_every_format_that_has_one() {
    // Four quarters of four colours: top left, top right, bottom left, bottom right.
    let colours = [[200, 30, 30], [30, 200, 30], [30, 30, 200], [200, 200, 30]];
    let image = RgbImage::from_fn(48, 32, |x, y| {
        Rgb(colours[usize::from(x >= 24) + 2 * usize::from(y >= 16)])
    });
    // Which of the four is found in each quarter after setting upright, by the EXIF standard.
    let table: [[usize; 4]; 8] = [
        [0, 1, 2, 3],
        [1, 0, 3, 2],
        [3, 2, 1, 0],
        [2, 3, 0, 1],
        [0, 2, 1, 3],
        [2, 0, 3, 1],
        [3, 1, 2, 0],
        [1, 3, 0, 2],
    ];
    for format in [Format::Jpeg, Format::Png, Format::Webp] {
        for (orientation, quarters) in (1u8..).zip(table) {
            let bytes = picture(file(&image, orientation, format));
            let portrait = decode(&bytes, 0, &Limits::default()).unwrap();
            let size = if orientation > 4 { (32, 48) } else { (48, 32) };
            assert_eq!((portrait.width(), portrait.height()), size);
            for (quarter, colour) in quarters.into_iter().enumerate() {
                let x = size.0 / 4 + size.0 / 2 * (quarter as u32 % 2);
                let y = size.1 / 4 + size.1 / 2 * (quarter as u32 / 2);
                let error = mean_error(&pixel(&portrait, x, y), &colours[colour]);
                assert!(error < 12.0, "{format:?} {orientation} quarter {quarter}: {error}");
            }
        }
    }
}

#[test]
fn a_turn_is_clockwise_and_comes_after_the_orientation() {
    let mut image = RgbImage::new(4, 2);
    image.put_pixel(0, 0, Rgb([255, 0, 0]));
    let corner = |turn, orientation| {
        let bytes = picture(file(&image, orientation, Format::Png));
        let portrait = decode(&bytes, turn, &Limits::default()).unwrap();
        let all = (0..portrait.height()).flat_map(|y| (0..portrait.width()).map(move |x| (x, y)));
        all.into_iter().find(|(x, y)| pixel(&portrait, *x, *y)[0] == 255).unwrap()
    };
    assert_eq!(corner(0, 1), (0, 0));
    assert_eq!(corner(90, 1), (1, 0));
    assert_eq!(corner(180, 1), (3, 1));
    assert_eq!(corner(270, 1), (0, 3));
    assert_eq!(corner(33, 1), (0, 0));
    assert_eq!(corner(90, 6), (3, 1), "90 and 90 are 180");
    assert_eq!(corner(90, 2), (1, 3), "mirrored, then turned");
}

#[test]
fn large_pictures_are_made_smaller_and_small_ones_are_not() {
    let limits = Limits { keep_side: 100, ..Limits::default() };
    let size = |width, height| {
        let portrait = decode(&picture(png_of(&drawn(width, height))), 0, &limits).unwrap();
        (portrait.width(), portrait.height())
    };
    assert_eq!(size(100, 50), (100, 50));
    assert_eq!(size(200, 100), (100, 50));
    assert_eq!(size(60, 400), (15, 100));
    assert_eq!(size(1000, 1), (100, 1));
}

/// A PNG whose header claims a size and whose data are nothing.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    drop(encoder.write_header().unwrap());
    bytes
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let decoded = |bytes| decode(&picture(bytes), 0, &Limits::default()).map(|_| ());
    assert_eq!(decoded(png_claiming(60_000, 60_000)), Err(DecodeError::TooLarge));
    assert_eq!(decoded(png_claiming(8193, 1)), Err(DecodeError::TooLarge));
    assert_eq!(decoded(png_claiming(1, u32::MAX >> 1)), Err(DecodeError::TooLarge));
    assert_eq!(decoded(png_claiming(8192, 8192)), Err(DecodeError::Damaged), "192 MiB are allowed");
    // JPEG: the size stands behind the frame marker.
    let mut jpeg = file(&drawn(16, 16), 1, Format::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert_eq!(decoded(jpeg.clone()), Err(DecodeError::TooLarge));
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x1f, 0xff, 0x1f, 0xff]);
    assert_eq!(decoded(jpeg), Err(DecodeError::TooLarge), "three times 192 MiB are not");
    // WebP: an animation's canvas is claimed apart from its frames.
    let mut webp = animation([&drawn(16, 16), &drawn(16, 16)]);
    let at = webp.windows(4).position(|four| four == b"VP8X").unwrap();
    webp[at + 12..at + 18].copy_from_slice(&[0xff, 0x7f, 0, 0xff, 0x7f, 0]);
    assert_eq!(decoded(webp), Err(DecodeError::TooLarge));
    // TIFF: width is tag 256, height 257, rows in a strip 278.
    let mut tiff = file(&drawn(16, 16), 1, Format::Tiff);
    for tag in [[0x00, 0x01], [0x01, 0x01], [0x16, 0x01]] {
        let entry = tiff.windows(4).rposition(|four| four[..2] == tag && four[2..] == [4, 0]);
        let entry = entry.unwrap();
        tiff[entry + 8..entry + 12].copy_from_slice(&60_000u32.to_le_bytes());
    }
    assert_eq!(decoded(tiff), Err(DecodeError::TooLarge));
}

#[test]
fn a_file_of_which_nothing_is_there_is_damaged() {
    for format in [Format::Png, Format::Webp, Format::Tiff, Format::Jpeg] {
        let bytes = file(&drawn(40, 40), 1, format);
        let cut = decode(&picture(bytes[..24].to_vec()), 0, &Limits::default());
        assert_eq!(cut.map(|_| ()), Err(DecodeError::Damaged), "{format:?}");
    }
}

#[test]
fn transparency_is_grey_and_deeper_samples_are_scaled() {
    let mut bytes = Vec::new();
    let rgba = [255, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 128];
    PngEncoder::new(&mut bytes).write_image(&rgba, 3, 1, ExtendedColorType::Rgba8).unwrap();
    let shown = decode(&picture(bytes), 0, &Limits::default()).unwrap();
    assert_eq!(shown.pixels(), [255, 0, 0, 128, 128, 128, 64, 64, 64]);
    let mut bytes = Vec::new();
    let deep: Vec<u8> = [0x1234u16, 0xffff].iter().flat_map(|v| v.to_ne_bytes()).collect();
    PngEncoder::new(&mut bytes).write_image(&deep, 1, 1, ExtendedColorType::La16).unwrap();
    let shown = decode(&picture(bytes), 0, &Limits::default()).unwrap();
    assert_eq!(shown.pixels(), [0x12; 3]);
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(&[7, 250], 2, 1, ExtendedColorType::L8).unwrap();
    let shown = decode(&picture(bytes), 0, &Limits::default()).unwrap();
    assert_eq!(shown.pixels(), [7, 7, 7, 250, 250, 250]);
}

#[test]
fn a_jpeg_of_printing_colours_is_read() {
    let inks = [0, 255, 255, 0].repeat(64);
    for colour in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
        let mut bytes = Vec::new();
        jpeg_encoder::Encoder::new(&mut bytes, 95).encode(&inks, 8, 8, colour).unwrap();
        let shown = decode(&picture(bytes), 0, &Limits::default()).unwrap();
        let error = mean_error(&pixel(&shown, 4, 4), &[255, 0, 0]);
        assert!(error < 10.0, "magenta and yellow make red: {:?}", pixel(&shown, 4, 4));
    }
}

/// An animated WebP of two frames.
fn animation(frames: [&RgbImage; 2]) -> Vec<u8> {
    let (width, height) = frames[0].dimensions();
    let three = |value: u32| value.to_le_bytes()[..3].to_vec();
    let chunk = |name: &[u8; 4], body: &[u8]| {
        let padding = vec![0; body.len() % 2];
        [&name[..], &(body.len() as u32).to_le_bytes(), body, &padding].concat()
    };
    let canvas = [three(width - 1), three(height - 1)].concat();
    let mut body = b"WEBP".to_vec();
    body.extend(chunk(b"VP8X", &[&[2, 0, 0, 0][..], &canvas].concat()));
    body.extend(chunk(b"ANIM", &[0; 6]));
    for frame in frames {
        let mut still = Vec::new();
        let encoder = WebPEncoder::new_lossless(&mut still);
        encoder.write_image(frame, width, height, ExtendedColorType::Rgb8).unwrap();
        let place = [three(0), three(0), canvas.clone(), three(100), vec![2]].concat();
        body.extend(chunk(b"ANMF", &[&place, &still[12..]].concat()));
    }
    chunk(b"RIFF", &body)
}

#[test]
fn of_an_animation_the_first_frame_is_shown() {
    let (first, second) = (drawn(20, 20), RgbImage::from_pixel(20, 20, Rgb([0, 255, 0])));
    let bytes = picture(animation([&first, &second]));
    let shown = decode(&bytes, 0, &Limits::default()).unwrap();
    assert_eq!(shown.pixels(), first.as_raw().as_slice());
}

proptest! {
    #[test]
    fn a_face_box_lands_on_the_face(
        size in (8u32..60, 8u32..60), orientation in 1u8..=8, quarter in 0u16..4,
        from in (0.0f64..0.7, 0.0f64..0.7), to in (0.1f64..1.0, 0.1f64..1.0), keep in 6u32..80,
    ) {
        let scaled = |share: f64, side: u32| (share * f64::from(side)).floor() as u32;
        let left = scaled(from.0, size.0);
        let top = scaled(from.1, size.1);
        let right = (left + 1 + scaled(to.0, size.0)).min(size.0);
        let bottom = (top + 1 + scaled(to.1, size.1)).min(size.1);
        let inside = |x, y| (left..right).contains(&x) && (top..bottom).contains(&y);
        let image = RgbImage::from_fn(size.0, size.1, |x, y| {
            if inside(x, y) { Rgb([255; 3]) } else { Rgb([0; 3]) }
        });
        let bytes = picture(file(&image, orientation, Format::Png));
        let face = BoundingBox::new([left, top, right, bottom].map(f64::from)).unwrap();

        let unscaled = decode(&bytes, quarter * 90, &Limits::default()).unwrap();
        let area = unscaled.place(&face).unwrap();
        for y in 0..unscaled.height() {
            for x in 0..unscaled.width() {
                let (cx, cy) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
                let within = cx > area.left && cx < area.left + area.width
                    && cy > area.top && cy < area.top + area.height;
                prop_assert_eq!(pixel(&unscaled, x, y)[0] == 255, within);
            }
        }

        let limits = Limits { keep_side: keep, ..Limits::default() };
        let small = decode(&bytes, quarter * 90, &limits).unwrap();
        let placed = small.place(&face).unwrap();
        let ratio = (
            f64::from(small.width()) / f64::from(unscaled.width()),
            f64::from(small.height()) / f64::from(unscaled.height()),
        );
        prop_assert!((placed.left - area.left * ratio.0).abs() < 1e-6);
        prop_assert!((placed.top - area.top * ratio.1).abs() < 1e-6);
        prop_assert!((placed.width - area.width * ratio.0).abs() < 1e-6);
        prop_assert!((placed.height - area.height * ratio.1).abs() < 1e-6);
    }

    #[test]
    fn a_face_box_never_leaves_the_picture(
        edges in prop::array::uniform4(-1e12f64..1e12), orientation in 1u8..=8,
    ) {
        let bytes = picture(file(&drawn(20, 30), orientation, Format::Png));
        let portrait = decode(&bytes, 0, &Limits::default()).unwrap();
        let [a, b, c, d] = edges;
        let face = BoundingBox::new([a.min(c), b.min(d), a.max(c), b.max(d)]);
        if let Some(area) = face.and_then(|face| portrait.place(&face)) {
            prop_assert!(area.left >= 0.0 && area.top >= 0.0);
            prop_assert!(area.left + area.width <= f64::from(portrait.width()) + 1e-9);
            prop_assert!(area.top + area.height <= f64::from(portrait.height()) + 1e-9);
        }
    }

    #[test]
    fn hostile_bytes_are_errors_and_no_panics(
        kind in 0usize..4, flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let format = [Format::Png, Format::Jpeg, Format::Webp, Format::Tiff][kind];
        let mut bytes = file(&drawn(24, 24), 3, format);
        for (place, value) in flips {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(bytes) = PictureBytes::new(Zeroizing::new(bytes)) {
            let limits = Limits { max_side: 512, max_alloc: 1 << 20, keep_side: 100 };
            if let Ok(portrait) = decode(&bytes, 0, &limits) {
                prop_assert!(portrait.width() <= 100 && portrait.height() <= 100);
            }
        }
    }
}

// --- geometry ---

/// Half-blocks in cells of 10x20 pixels.
fn half_blocks(columns: u16, rows: u16) -> Pane {
    Pane::new(columns, rows, (10, 20), CellMode::Half.dots())
}

fn pixels(columns: u16, rows: u16) -> Pane {
    Pane::new(columns, rows, (10, 20), (10, 20))
}

#[test]
fn a_picture_is_centred_and_never_stretched() {
    let portrait = portrait(&drawn(400, 500));
    let whole = |pane: &Pane| fit(&portrait, None, &View::default(), Aim::Picture, pane).unwrap();
    let fitted = whole(&pixels(40, 30));
    assert_eq!((fitted.columns, fitted.rows, fitted.offset), (40, 25, (0, 2)));
    assert_eq!((fitted.width, fitted.height), (400, 500));
    assert_eq!(fitted.crop, Area::whole(400, 500));
    assert_eq!(fitted.pixels(), portrait.pixels());
    let fitted = whole(&pixels(100, 25));
    assert_eq!((fitted.columns, fitted.rows, fitted.offset), (40, 25, (30, 0)));
    assert_eq!(format!("{fitted:?}"), "Fitted(40x25 cells, 400x500 pixels)");
    assert!(fit(&portrait, None, &View::default(), Aim::Picture, &pixels(0, 5)).is_err());
}

#[test]
fn absurd_panes_are_cut_to_what_a_picture_can_use() {
    let portrait = portrait(&drawn(40, 50));
    let pane = Pane::new(u16::MAX, u16::MAX, (u16::MAX, u16::MAX), (u16::MAX, u16::MAX));
    let fitted = fit(&portrait, None, &View::default(), Aim::Picture, &pane).unwrap();
    assert!(fitted.columns <= 297 && fitted.rows <= 297);
    assert!(fitted.width * fitted.height <= 16 * 1024 * 1024);
}

#[test]
fn blocks_go_to_the_face() {
    let portrait = portrait(&drawn(480, 600));
    let face = Area { left: 180.0, top: 100.0, width: 120.0, height: 160.0 };
    let fitted =
        fit(&portrait, Some(&face), &View::default(), Aim::Face, &half_blocks(38, 16)).unwrap();
    let share = face.height / fitted.crop.height;
    assert!((1.0..=1.2).contains(&share), "{share}");
    let bottom = |area: &Area| area.top + area.height;
    assert!((bottom(&fitted.crop) - bottom(&face)).abs() < 0.05 * face.height, "the chin is there");
    assert!(fitted.crop.left <= face.left);
    assert!(fitted.crop.left + fitted.crop.width >= face.left + face.width);
    // Without a box: the middle.
    let fitted = fit(&portrait, None, &View::default(), Aim::Face, &half_blocks(38, 16)).unwrap();
    let middle = fitted.crop.left + fitted.crop.width / 2.0;
    assert!((middle - 240.0).abs() < 1e-6 && fitted.crop.height < 600.0);
}

#[test]
fn what_is_scaled_or_moved_is_the_face_wherever_the_picture_shows_it() {
    // The same face, in the middle of one picture and in a corner of another of other size.
    let (near, far) = (portrait(&drawn(480, 600)), portrait(&drawn(900, 700)));
    let face = Area { left: 180.0, top: 200.0, width: 120.0, height: 160.0 };
    let moved = Area { left: 500.0, top: 250.0, width: 180.0, height: 240.0 };
    let pane = pixels(30, 15);
    let seen = |portrait: &Portrait, face: &Area, view: &View| {
        let crop = fit(portrait, Some(face), view, Aim::Picture, &pane).unwrap().crop;
        let middle = (crop.left + crop.width / 2.0, crop.top + crop.height / 2.0);
        [
            (middle.0 - face.left) / face.width,
            (middle.1 - face.top) / face.width,
            crop.width / face.width,
        ]
    };
    for view in [
        View { zoom: 2.0, ..View::default() },
        View { region: Region::Eyes, ..View::default() },
        View { region: Region::NoseMouth, zoom: 1.5, pan: (0.25, -0.5), ..View::default() },
        View { zoom: 2.0, pan: (-0.4, 0.2), ..View::default() },
    ] {
        let (a, b) = (seen(&near, &face, &view), seen(&far, &moved, &view));
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 0.02, "{view:?}: {a} {b}");
        }
    }
    // As it comes, the whole picture is shown; nearer and nearer, the same point stays in the middle.
    assert_eq!(seen(&near, &face, &View::default())[2], 4.0);
    let pan = (0.5, 0.25);
    let at = |zoom| seen(&near, &face, &View { zoom, pan, ..View::default() });
    assert!((at(2.0)[0] - at(6.0)[0]).abs() < 0.02 && (at(2.0)[1] - at(6.0)[1]).abs() < 0.02);
}

#[test]
fn a_mirror_exchanges_left_and_right_and_pans_as_seen() {
    let portrait = portrait(&drawn(40, 40));
    let pane = Pane::new(40, 20, (1, 2), (1, 2));
    let shown = |view: View| fit(&portrait, None, &view, Aim::Picture, &pane).unwrap();
    let plain = shown(View::default());
    let mirrored = shown(View { mirror: true, ..View::default() });
    for (row, seen) in plain.pixels().chunks(120).zip(mirrored.pixels().chunks(120)) {
        let back: Vec<u8> = row.chunks(3).rev().flatten().copied().collect();
        assert_eq!(back, seen);
    }
    let near = View { zoom: 2.0, pan: (0.25, 0.0), ..View::default() };
    assert!(shown(near).crop.left > shown(View { pan: (0.0, 0.0), ..near }).crop.left);
    let seen = View { mirror: true, ..near };
    assert!(shown(seen).crop.left < shown(View { pan: (0.0, 0.0), ..seen }).crop.left);
}

// --- the face in it ---

/// Drawn people as photographs: a document; turned, lit and framed by chance; farther off to a side.
fn people() -> impl Iterator<Item = (Identity, Shot)> {
    (0..8).flat_map(|seed| {
        let by_chance = Shot::from_seed(10 * seed + 1);
        let aside = Shot { scale: 0.6, shift: (0.2, -0.1), ..by_chance.clone() };
        [Shot::document(seed), by_chance, aside].map(|shot| (Identity::from_seed(seed), shot))
    })
}

#[test]
fn the_face_is_found_where_the_eyes_are() {
    let finder = FaceFinder::new();
    let (mut found, mut missed_by_guess, mut all) = (0, 0, 0);
    for (who, shot) in people() {
        let size = (480, 600);
        let portrait = portrait(&faces::draw(&who, &shot, size.0, size.1));
        let [left, right] = faces::eye_centres(&who, &shot, size.0, size.1);
        let apart = (right.0 - left.0).hypot(right.1 - left.1);
        let middle = ((left.0 + right.0) / 2.0, (left.1 + right.1) / 2.0);
        // How far the middle of the eyes lies from where it is taken to be, in distances of the pupils.
        let off = |face: &Area| {
            let taken = (face.left + face.width / 2.0, face.top + face.height * 0.4);
            (taken.0 - middle.0).hypot(taken.1 - middle.1) / apart
        };
        all += 1;
        let Some(face) = portrait.face(&finder) else { continue };
        assert!((0.7..1.4).contains(&(face.width * 0.42 / apart)), "{who:?}: {face:?}");
        assert!(off(&face) < 0.5, "{who:?}: {face:?}");
        found += 1;
        missed_by_guess += u32::from(off(&likely_face(&portrait)) >= 0.5);
    }
    assert!(found * 20 >= all * 19, "{found} of {all} found");
    // What it is for: the middle of the picture is not where the eyes are.
    assert!(missed_by_guess * 3 >= found, "{missed_by_guess} of {found}");
}

#[test]
fn nobody_is_found_where_nobody_is() {
    let finder = FaceFinder::new();
    let mut random = fastrand::Rng::with_seed(5);
    for grain in [1, 2, 5, 12, 40] {
        let dots: Vec<u8> = (0..320 * 320).map(|_| random.u8(..)).collect();
        let noise = RgbImage::from_fn(300, 320, |x, y| {
            image::Rgb([dots[(y / grain * 320 + x / grain) as usize]; 3])
        });
        assert_eq!(portrait(&noise).face(&finder), None, "grain {grain}");
    }
    let plain = RgbImage::from_pixel(400, 500, image::Rgb([200, 170, 150]));
    let slope = RgbImage::from_fn(400, 500, |x, y| image::Rgb([(x / 2) as u8, (y / 2) as u8, 90]));
    for empty in [plain, slope] {
        assert_eq!(portrait(&empty).face(&finder), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn looking_for_a_face_stays_in_the_picture_whatever_its_size(
        width in 1u32..700, height in 1u32..700, seed in any::<u64>(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let face = faces::draw(&Identity::from_seed(seed), &Shot::from_seed(seed), width, height);
        let noise = RgbImage::from_fn(width, height, |_, _| image::Rgb([random.u8(..); 3]));
        for picture in [face, noise] {
            if let Some(found) = portrait(&picture).face(&FaceFinder::new()) {
                prop_assert!(found.left >= 0.0 && found.left + found.width <= f64::from(width));
                prop_assert!(found.top >= 0.0 && found.top + found.height <= f64::from(height));
                prop_assert!(found.width > 0.0 && found.height > 0.0);
            }
        }
    }
}

fn any_view() -> impl Strategy<Value = View> {
    let regions = [Region::Whole, Region::Eyes, Region::NoseMouth, Region::JawEars];
    let number = prop_oneof![-3.0f64..12.0, Just(f64::NAN), Just(f64::INFINITY), Just(-1e300)];
    (prop::sample::select(regions.to_vec()), number.clone(), number.clone(), number, any::<bool>())
        .prop_map(|(region, zoom, right, down, mirror)| View {
            region,
            zoom,
            pan: (right, down),
            mirror,
        })
}

proptest! {
    #[test]
    fn whatever_is_asked_for_lies_in_the_picture_and_keeps_its_shape(
        size in (1u32..90, 1u32..90), view in any_view(), pane in (1u16..60, 1u16..40),
        cell in (1u16..20, 1u16..30), mode in 0usize..4,
        face in prop::option::of(prop::array::uniform4(0.01f64..90.0)),
    ) {
        let portrait = portrait(&RgbImage::new(size.0, size.1));
        let dots = [(1, 2), (2, 2), (2, 3), cell][mode];
        let face = face.map(|[left, top, width, height]| Area { left, top, width, height });
        let room = Pane::new(pane.0, pane.1, cell, dots);
        for aim in [Aim::Picture, Aim::Face] {
            let fitted = fit(&portrait, face.as_ref(), &view, aim, &room).unwrap();
            prop_assert!(fitted.columns >= 1 && fitted.offset.0 + fitted.columns <= pane.0);
            prop_assert!(fitted.rows >= 1 && fitted.offset.1 + fitted.rows <= pane.1);
            let length = fitted.width as usize * fitted.height as usize * 3;
            prop_assert_eq!(fitted.pixels().len(), length);
            let crop = fitted.crop;
            prop_assert!(crop.left >= -1e-9 && crop.left + crop.width <= f64::from(size.0) + 1e-6);
            prop_assert!(crop.top >= -1e-9 && crop.top + crop.height <= f64::from(size.1) + 1e-6);
            let cells = (f64::from(fitted.columns), f64::from(fitted.rows));
            let shape = cells.0 * f64::from(cell.0) / (cells.1 * f64::from(cell.1));
            prop_assert!((crop.width / crop.height / shape - 1.0).abs() < 1e-6);
        }
    }
}

// --- protocols ---

/// The drawn face in 40 by 25 cells of 10x20 pixels.
fn fitted() -> Fitted {
    let portrait = portrait(&drawn(400, 500));
    fit(&portrait, None, &View::default(), Aim::Picture, &pixels(40, 25)).unwrap()
}

/// The sequences of a kitty transmission: keys and payload of each.
fn kitty_parts(chunks: &[Zeroizing<Vec<u8>>]) -> Vec<(String, String)> {
    let part = |chunk: &Zeroizing<Vec<u8>>| {
        let text = std::str::from_utf8(chunk).unwrap();
        let body = text.strip_prefix("\x1b_G").unwrap().strip_suffix("\x1b\\").unwrap();
        let (keys, payload) = body.split_once(';').unwrap();
        assert!(!payload.contains('\x1b') && payload.len() <= 2048);
        (keys.to_owned(), payload.to_owned())
    };
    chunks.iter().map(part).collect()
}

fn kitty(fitted: &Fitted, options: &EncodeOptions) -> Vec<Zeroizing<Vec<u8>>> {
    match encode(fitted, Protocol::Kitty, options).unwrap() {
        Encoded::Kitty { chunks, id, columns, rows } => {
            assert_eq!((id, columns, rows), (options.image_id, fitted.columns, fitted.rows));
            chunks
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn kitty_chunks_carry_a_palette_png() {
    let fitted = fitted();
    for (tier, size, colours, tolerance) in [
        (Tier::Preview, (200, 250), 64, 4.0),
        (Tier::Review, (300, 375), 256, 3.0),
        (Tier::Fine, (400, 500), 256, 2.5),
    ] {
        let options = EncodeOptions { tier, image_id: 0x0a_0b_0c, ..EncodeOptions::default() };
        let parts = kitty_parts(&kitty(&fitted, &options));
        let last = parts.len() - 1;
        assert_eq!(parts[0].0, "a=T,U=1,q=1,i=658188,c=40,r=25,f=100,m=1");
        for (place, (keys, payload)) in parts.iter().enumerate().skip(1) {
            assert_eq!(keys, if place < last { "m=1" } else { "m=0" });
            assert!(place == last || payload.len() == 2048);
        }
        let payload: String = parts.into_iter().map(|(_, payload)| payload).collect();
        let file = STANDARD.decode(payload).unwrap();
        let mut reader = png::Decoder::new(Cursor::new(&file)).read_info().unwrap();
        assert_eq!(reader.info().color_type, png::ColorType::Indexed);
        let palette = reader.info().palette.clone().unwrap().into_owned();
        assert!(palette.len() <= colours * 3);
        let mut indices = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut indices).unwrap();
        let shown = image::load_from_memory(&file).unwrap().into_rgb8();
        assert_eq!(shown.dimensions(), size);
        let by_palette: Vec<u8> = indices
            .iter()
            .flat_map(|index| palette[usize::from(*index) * 3..][..3].to_vec())
            .collect();
        assert_eq!(&by_palette, shown.as_raw(), "the PNG means its palette");
        let back = image::imageops::resize(&shown, 400, 500, image::imageops::FilterType::Triangle);
        let error = mean_error(&back, fitted.pixels());
        assert!(error < tolerance, "{tier:?}: {error}");
    }
}

#[test]
fn kitty_tells_errors_only_and_goes_through_tmux_piece_by_piece() {
    let fitted = fitted();
    let bare = EncodeOptions { tier: Tier::Preview, ..EncodeOptions::default() };
    let plain = kitty(&fitted, &bare);
    assert!(kitty_parts(&plain)[0].0.contains("q=1"));
    let wrapped = kitty(&fitted, &EncodeOptions { wrap: Wrap::Tmux, ..bare });
    assert_eq!(plain.len(), wrapped.len());
    for (plain, wrapped) in plain.iter().zip(&wrapped) {
        let text = std::str::from_utf8(wrapped).unwrap();
        let inner = text.strip_prefix("\x1bPtmux;").unwrap().strip_suffix("\x1b\\").unwrap();
        assert_eq!(inner.replace("\x1b\x1b", "\x1b").as_bytes(), &***plain);
    }
    let again = kitty(&fitted, &bare);
    assert_eq!(plain, again, "the same pixels give the same bytes");
    let nameless = EncodeOptions { image_id: 0, ..bare };
    assert_eq!(encode(&fitted, Protocol::Kitty, &nameless).unwrap_err(), EncodeError::NoId);
}

#[test]
fn the_lossless_tier_is_the_part_of_the_portrait_itself() {
    // Twice the pixels of the portrait in the pane: the terminal scales, nothing is sent twice over.
    let portrait = portrait(&drawn(200, 250));
    let fitted = fit(&portrait, None, &View::default(), Aim::Picture, &pixels(40, 25)).unwrap();
    let options = EncodeOptions { tier: Tier::Lossless, ..EncodeOptions::default() };
    let payload: String =
        kitty_parts(&kitty(&fitted, &options)).into_iter().map(|(_, payload)| payload).collect();
    let shown = image::load_from_memory(&STANDARD.decode(payload).unwrap()).unwrap().into_rgb8();
    assert_eq!(shown.dimensions(), (200, 250));
    let error = mean_error(shown.as_raw(), drawn(200, 250).as_raw());
    assert!(error < 2.0, "{error}");
}

fn inline(fitted: &Fitted, protocol: Protocol, options: &EncodeOptions) -> Zeroizing<Vec<u8>> {
    match encode(fitted, protocol, options).unwrap() {
        Encoded::Inline { bytes, columns, rows } => {
            assert_eq!((columns, rows), (fitted.columns, fitted.rows));
            bytes
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn iterm2_carries_a_progressive_jpeg_sized_in_cells() {
    let fitted = fitted();
    let bytes = inline(&fitted, Protocol::Iterm2, &EncodeOptions::default());
    let text = std::str::from_utf8(&bytes).unwrap();
    let body = text.strip_prefix("\x1b]1337;File=").unwrap().strip_suffix('\x07').unwrap();
    let (head, payload) = body.split_once(':').unwrap();
    let file = STANDARD.decode(payload).unwrap();
    let mut keys: Vec<&str> = head.split(';').collect();
    keys.sort_unstable();
    let size = format!("size={}", file.len());
    let wanted =
        ["doNotMoveCursor=1", "height=25", "inline=1", "preserveAspectRatio=0", &size, "width=40"];
    assert_eq!(keys, wanted);
    assert!(file.windows(2).any(|pair| pair == [0xff, 0xc2]), "progressive");
    let shown = image::load_from_memory(&file).unwrap().into_rgb8();
    assert_eq!(shown.dimensions(), (400, 500));
    let error = mean_error(&shown, fitted.pixels());
    assert!(error < 3.0, "{error}");
}

#[test]
fn sixel_shows_the_picture_and_never_scrolls() {
    let fitted = fitted();
    for (palette, registers, most, tolerance) in [(128, 256, 128, 3.0), (128, 16, 16, 8.0)] {
        let options = EncodeOptions { palette, registers, ..EncodeOptions::default() };
        let bytes = inline(&fitted, Protocol::Sixel, &options);
        let text = std::str::from_utf8(&bytes).unwrap();
        let body = text.strip_prefix("\x1bP0;1;0q\"").unwrap().strip_suffix("\x1b\\").unwrap();
        assert!(!body.ends_with('-') && body.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        let shown = shown::sixel(&bytes);
        assert_eq!(shown.drawn, (1, 1), "every pixel is drawn once");
        assert_eq!(shown.image.dimensions(), (400, 498), "whole bands within 500 pixels");
        assert!(shown.registers <= most, "{}", shown.registers);
        let error = mean_error(shown.image.as_raw(), &fitted.pixels()[..400 * 498 * 3]);
        assert!(error < tolerance, "{error}");
    }
}

/// What a face costs that was taken indoors, with the noise of a phone's camera: never more than this,
/// and what it gives up for it is small.
#[test]
fn a_noisy_face_keeps_to_its_bytes() {
    for (who, shot) in [(7, 1), (58, 12)] {
        let shot = Shot { noise: 0.5, ..Shot::from_seed(shot) };
        let face = faces::draw(&Identity::from_seed(who), &shot, faces::WIDTH, faces::HEIGHT);
        let file = faces::encode(&face, faces::Format::Jpeg { quality: shot.quality });
        let portrait = decode(&picture(file), 0, &Limits::default()).unwrap();
        let view = View::default();
        let fitted = fit(&portrait, None, &view, Aim::Picture, &pixels(40, 25)).unwrap();
        let wanted = fitted.pixels();
        for (tier, most) in [(Tier::Preview, 30_000), (Tier::Review, 72_500)] {
            let options = EncodeOptions { tier, ..EncodeOptions::default() };
            let Encoded::Kitty { chunks, .. } = encode(&fitted, Protocol::Kitty, &options).unwrap()
            else {
                panic!("kitty sends chunks");
            };
            let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.to_vec()).collect();
            assert!(bytes.len() < most, "{who}: {tier:?} takes {}", bytes.len());
            let shown = shown::enlarged(&shown::kitty(&bytes), (400, 500));
            let error = mean_error(&shown, wanted);
            assert!(error < 8.0, "{who}: {tier:?} is wrong by {error}");
        }
        let bytes = inline(&fitted, Protocol::Sixel, &EncodeOptions::default());
        assert!(bytes.len() < 142_000, "{who}: sixel takes {}", bytes.len());
        let shown = shown::sixel(&bytes);
        let error = mean_error(shown.image.as_raw(), &wanted[..400 * 498 * 3]);
        assert!(error < 8.0, "{who}: sixel is wrong by {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_noise_survives_sixel(seed in any::<u64>(), columns in 1u16..5, rows in 1u16..4) {
        let mut random = fastrand::Rng::with_seed(seed);
        let size = (u32::from(columns) * 10, u32::from(rows) * 20);
        let image = RgbImage::from_fn(size.0, size.1, |_, _| {
            Rgb([random.u8(0..4) * 80, random.u8(0..2) * 255, 0])
        });
        let portrait = portrait(&image);
        let pane = pixels(columns, rows);
        let fitted = fit(&portrait, None, &View::default(), Aim::Picture, &pane).unwrap();
        let bytes = inline(&fitted, Protocol::Sixel, &EncodeOptions::default());
        let shown = shown::sixel(&bytes).image;
        let error = mean_error(shown.as_raw(), &fitted.pixels()[..shown.as_raw().len()]);
        prop_assert!(error < 3.0, "{error}");
    }
}

/// An image whose pixels are the dots of characters, as characters.
fn characters(image: &RgbImage, cells: CellMode, colours: Colours) -> CellPicture {
    let dots = cells.dots();
    let size = image.dimensions();
    let pane = Pane::new(size.0 as u16 / dots.0, size.1 as u16 / dots.1, dots, dots);
    let fitted = fit(&portrait(image), None, &View::default(), Aim::Picture, &pane).unwrap();
    assert_eq!(fitted.pixels(), image.as_raw().as_slice(), "nothing is scaled");
    let options = EncodeOptions { cells, colours, ..EncodeOptions::default() };
    let Encoded::Cells(picture) = encode(&fitted, Protocol::Blocks, &options).unwrap() else {
        panic!("blocks are cells");
    };
    picture
}

/// Their letters by line, and their colours.
fn cells(image: &RgbImage, cells: CellMode, colours: Colours) -> (Vec<String>, Vec<(Ink, Ink)>) {
    let picture = characters(image, cells, colours);
    let lines = picture.cells.chunks(usize::from(picture.columns));
    let text = lines.map(|line| line.iter().map(|cell| cell.symbol).collect()).collect();
    (text, picture.cells.iter().map(|cell| (cell.fg, cell.bg)).collect())
}

/// What a terminal shows of them.
fn on_screen(image: &RgbImage, cells: CellMode, colours: Colours) -> RgbImage {
    shown::cells(&characters(image, cells, colours), cells, cells.dots())
}

const W: [u8; 3] = [255; 3];
const K: [u8; 3] = [0; 3];
const R: [u8; 3] = [200, 0, 0];

fn image_of<const N: usize>(rows: &[[[u8; 3]; N]]) -> RgbImage {
    RgbImage::from_fn(N as u32, rows.len() as u32, |x, y| Rgb(rows[y as usize][x as usize]))
}

#[test]
fn what_the_characters_can_draw_is_drawn_as_it_is() {
    let halves = image_of(&[[W, K, R, R], [K, W, R, R], [R, R, K, W], [K, K, K, W]]);
    assert_eq!(on_screen(&halves, CellMode::Half, Colours::True), halves);
    for pair in [[W, [8; 3]], [K, [238; 3]]] {
        let greys = image_of(&[[pair[0], [128; 3]], [pair[1], [128; 3]]]);
        assert_eq!(on_screen(&greys, CellMode::Half, Colours::Ansi256), greys);
    }
    let quadrants = image_of(&[[W, K, W, W], [K, W, K, W]]);
    assert_eq!(on_screen(&quadrants, CellMode::Quadrant, Colours::True), quadrants);
    let sextants =
        image_of(&[[W, K, W, K, W, W, W, K], [W, K, K, W, W, W, K, K], [W, K, W, K, W, W, K, W]]);
    assert_eq!(on_screen(&sextants, CellMode::Sextant, Colours::True), sextants);
    let octants = image_of(&[[W, K, K, R], [W, W, R, R], [K, K, R, K], [W, K, K, R]]);
    assert_eq!(on_screen(&octants, CellMode::Octant, Colours::True), octants);
}

#[test]
fn half_blocks_have_two_colours() {
    let image = image_of(&[[W, K, R, R], [K, W, R, R], [R, R, K, W], [K, K, K, W]]);
    let (text, inks) = cells(&image, CellMode::Half, Colours::True);
    // The second is drawn with the colours of the first, and what is one colour with none.
    assert_eq!(text, ["▀▄  ", "▀▀  "]);
    assert_eq!(inks[0], (Ink::Rgb(W), Ink::Rgb(K)));
    assert_eq!(inks[1], (Ink::Rgb(W), Ink::Rgb(K)));
    assert_eq!(inks[2], (Ink::Rgb(W), Ink::Rgb(R)));
    assert_eq!(inks[4], (Ink::Rgb(R), Ink::Rgb(K)));
    assert_eq!(inks[7], (Ink::Rgb(R), Ink::Rgb(W)));
    let index = |fg, bg| (Ink::Index(fg), Ink::Index(bg));
    for (pair, wanted) in [
        ([W, [8; 3]], index(231, 232)),
        ([K, [238; 3]], index(16, 255)),
        ([[128; 3]; 2], index(244, 244)),
    ] {
        let (_, inks) = cells(&image_of(&pair.map(|dot| [dot])), CellMode::Half, Colours::Ansi256);
        assert_eq!(inks, [wanted]);
    }
}

#[test]
fn quadrants_and_sextants_are_searched_for() {
    let image = image_of(&[[W, K, W, W], [K, W, K, W]]);
    let (text, inks) = cells(&image, CellMode::Quadrant, Colours::True);
    assert_eq!(text, ["▚▜"]);
    assert_eq!(inks, [(Ink::Rgb(W), Ink::Rgb(K)); 2]);
    let image =
        image_of(&[[W, K, W, K, W, W, W, K], [W, K, K, W, W, W, K, K], [W, K, W, K, W, W, K, W]]);
    let (text, inks) = cells(&image, CellMode::Sextant, Colours::True);
    // Left column; dots 1, 4 and 5; nothing; dots 1 and 6.
    assert_eq!(text, ["▌🬗 🬟"]);
    assert_eq!(inks[1], (Ink::Rgb(W), Ink::Rgb(K)));
}

#[test]
fn in_256_colours_only_greys_are_used_and_lighter_is_never_darker() {
    let ramp = RgbImage::from_fn(256, 2, |x, _| Rgb([x as u8, x as u8, (x as u8) / 2]));
    let seen = on_screen(&ramp, CellMode::Half, Colours::Ansi256);
    let lights: Vec<u8> = (0..256).map(|x| seen.get_pixel(x, 0).0[0]).collect();
    assert!(lights.is_sorted(), "{lights:?}");
    assert!(lights[0] == 0 && lights[255] > 220, "{lights:?}");
}

#[test]
fn a_face_of_characters_keeps_to_its_bytes_and_stays_a_likeness() {
    let portrait = faces::draw(&Identity::from_seed(7), &Shot::from_seed(1), 400, 500);
    // In true colours and in greys. Without the neighbours' colours it is 31 to 35 KB and 8.0 to 9.4 KB.
    for (mode, most) in [
        (CellMode::Half, [18_000, 7_600]),
        (CellMode::Quadrant, [21_000, 8_000]),
        (CellMode::Sextant, [25_000, 8_700]),
        (CellMode::Octant, [26_000, 8_700]),
    ] {
        let (across, down) = mode.dots();
        let (wide, high) = (40 * u32::from(across), 25 * u32::from(down));
        let face = imageops::resize(&portrait, wide, high, imageops::FilterType::Triangle);
        for (colours, most) in [(Colours::True, most[0]), (Colours::Ansi256, most[1])] {
            let picture = characters(&face, mode, colours);
            let seen = shown::cells(&picture, mode, mode.dots());
            let bytes = shown::written(picture).len();
            assert!(bytes < most, "{mode:?} {colours:?}: {bytes} bytes");
            if colours == Colours::True {
                let error = mean_error(seen.as_raw(), face.as_raw());
                assert!(error < 3.0, "{mode:?}: {error}");
            }
        }
    }
}

#[test]
fn few_colours_and_none_still_have_tones() {
    let ramp = RgbImage::from_fn(40, 8, |x, _| Rgb([(x * 255 / 39) as u8; 3]));
    let (_, inks) = cells(&ramp, CellMode::Half, Colours::Ansi16);
    let used: std::collections::BTreeSet<_> =
        inks.iter().flat_map(|(fg, bg)| [format!("{fg:?}"), format!("{bg:?}")]).collect();
    assert_eq!(
        used.into_iter().collect::<Vec<_>>(),
        ["Index(0)", "Index(15)", "Index(7)", "Index(8)"]
    );
    let weight = |text: &[String], columns: std::ops::Range<usize>| -> usize {
        let shades = [' ', '░', '▒', '▓', '█'];
        let cells =
            text.iter().flat_map(|line| line.chars().skip(columns.start).take(columns.len()));
        cells.map(|symbol| shades.iter().position(|shade| *shade == symbol).unwrap()).sum()
    };
    let (dark, inks) = cells(&ramp, CellMode::Half, Colours::Mono(Ground::Dark));
    assert!(inks.iter().all(|inks| *inks == (Ink::Plain, Ink::Plain)));
    let (light, _) = cells(&ramp, CellMode::Half, Colours::Mono(Ground::Light));
    let rising: Vec<usize> = (0..4).map(|n| weight(&dark, n * 10..n * 10 + 10)).collect();
    let falling: Vec<usize> = (0..4).map(|n| weight(&light, n * 10..n * 10 + 10)).collect();
    assert!(rising.is_sorted_by(|a, b| a < b), "{rising:?}");
    assert!(falling.is_sorted_by(|a, b| a > b), "{falling:?}");
    let (dots, _) = cells(&ramp, CellMode::Quadrant, Colours::Mono(Ground::Dark));
    assert!(dots[0].starts_with(' ') && dots[0].ends_with('█'), "{dots:?}");
}

#[test]
fn a_picture_fitted_for_other_dots_is_refused() {
    let fitted = fitted();
    for mode in [CellMode::Half, CellMode::Quadrant, CellMode::Sextant] {
        let options = EncodeOptions { cells: mode, ..EncodeOptions::default() };
        let error = encode(&fitted, Protocol::Blocks, &options).unwrap_err();
        assert_eq!(error, EncodeError::OtherDots);
    }
}

#[test]
fn what_is_encoded_prints_sizes_only_and_says_how_sharp_it_is() {
    let fitted = fitted();
    let options = EncodeOptions { tier: Tier::Preview, ..EncodeOptions::default() };
    for entry in &PROTOCOLS[..3] {
        let encoded = encode(&fitted, entry.protocol, &options).unwrap();
        let wanted = format!("Encoded(40x25 cells, {} bytes)", encoded.wire_bytes());
        assert_eq!(format!("{encoded:?}"), wanted);
        assert!(encoded.wire_bytes() > 500);
    }
    assert_eq!(Protocol::Kitty.across(&fitted, &options), 200);
    assert_eq!(Protocol::Sixel.across(&fitted, &options), 400);
    assert_eq!(Protocol::Blocks.dots((10, 20), CellMode::Sextant), (2, 3));
    assert_eq!(Protocol::Kitty.dots((10, 20), CellMode::Sextant), (10, 20));
}

// --- the vault ---

fn key(case: u8, place: u8) -> Key {
    let case = SessionId::parse(&format!("case-{case}")).unwrap();
    let side = if place == 0 { Side::Subject } else { Side::Candidate(usize::from(place)) };
    Key { case, side }
}

fn file_of(length: usize) -> PictureBytes {
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(b"II*\0");
    bytes.resize(length, 0);
    picture(bytes)
}

#[test]
fn the_longest_unused_goes_first() {
    let mut vault = Vault::new(30, 0);
    for n in 0..3 {
        vault.put_file(key(n, 0), file_of(10));
    }
    assert!(vault.file(&key(0, 0)).is_some());
    vault.put_file(key(3, 0), file_of(10));
    let kept: Vec<bool> = (0..4).map(|n| vault.file(&key(n, 0)).is_some()).collect();
    assert_eq!(kept, [true, false, true, true]);
    let large = vault.put_file(key(4, 0), file_of(31));
    assert_eq!(large.bytes().len(), 31, "handed back, not kept");
    assert!(vault.file(&key(4, 0)).is_none());
    assert_eq!(vault.total().compressed, 30, "and nothing made way for it");
}

#[test]
fn what_is_forgotten_is_gone() {
    let mut vault = Vault::new(1000, 100_000);
    let drawn = drawn(10, 10);
    for (case, place) in [(1, 0), (1, 1), (2, 0)] {
        vault.put_file(key(case, place), file_of(10));
        vault.put_portrait(key(case, place), portrait(&drawn));
    }
    assert_eq!((vault.total().compressed, vault.total().decoded), (30, 900));
    vault.put_file(key(2, 0), file_of(20));
    assert!(vault.portrait(&key(2, 0)).is_none(), "it was another picture");
    let held = vault.portrait(&key(1, 0)).unwrap();
    vault.forget_case(&key(1, 0).case);
    assert_eq!(Arc::strong_count(&held), 1, "the vault has let go");
    assert!(vault.file(&key(1, 1)).is_none() && vault.file(&key(2, 0)).is_some());
    vault.forget(&key(2, 0));
    assert_eq!(vault.total(), secondlook::picture::Held::default());
    vault.put_file(key(1, 0), file_of(10));
    vault.clear();
    assert_eq!(format!("{vault:?}"), "Vault(Held { compressed: 0, decoded: 0 })");
}

proptest! {
    #[test]
    fn the_vault_keeps_its_bounds_and_its_count(
        steps in prop::collection::vec((0u8..5, 0u8..6, 0u8..3, 4usize..60), 0..80), most in 0usize..200,
    ) {
        let mut vault = Vault::new(most, 0);
        let mut known = std::collections::HashMap::new();
        for (what, case, place, length) in steps {
            match what {
                0..=2 => {
                    vault.put_file(key(case, place), file_of(length));
                    known.insert(key(case, place), length);
                    if length <= most {
                        prop_assert!(vault.file(&key(case, place)).is_some());
                    }
                }
                3 => {
                    vault.forget(&key(case, place));
                    known.remove(&key(case, place));
                }
                _ => {
                    vault.forget_case(&key(case, 0).case);
                    known.retain(|held, _| held.case != key(case, 0).case);
                }
            }
            prop_assert!(vault.total().compressed <= most);
        }
        let mut held = 0;
        for (key, length) in known {
            if let Some(file) = vault.file(&key) {
                prop_assert_eq!(file.bytes().len(), length);
                held += length;
            }
        }
        prop_assert_eq!(vault.total().compressed, held);
    }
}
