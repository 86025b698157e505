//! From head units to pixels: turning the head, a little perspective, and the place in the
//! picture. Knows nothing of faces.
//!
//! Head units: the origin lies between the eyes on the axis of the ears; x to the right of the
//! picture, y down, z to the viewer. The chin is at y = 1, the crown at y = -1.

/// A point or direction in head units.
pub(super) type Vec3 = [f32; 3];

/// Distance of the camera in head units, about 80 cm.
const DISTANCE: f32 = 7.5;
/// What the head turns about: between the ears, below the eyes.
const PIVOT: Vec3 = [0.0, 0.25, -0.15];

/// Where a head stands in a picture: pixels of the origin, and pixels a head unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub x: f32,
    pub y: f32,
    pub unit: f32,
}

/// A turned head before a camera.
#[derive(Debug, Clone, Copy)]
pub(super) struct Camera {
    rows: [Vec3; 3],
    pub frame: Frame,
    /// Sine of the yaw: which side is turned away.
    pub yaw_sin: f32,
    /// Sine of the pitch, positive when looking up.
    pub pitch_sin: f32,
    /// The roll in radians.
    pub roll: f32,
}

impl Camera {
    /// Angles in degrees, as in [`super::Shot`].
    pub fn new(yaw: f32, pitch: f32, roll: f32, frame: Frame) -> Self {
        let (sy, cy) = yaw.to_radians().sin_cos();
        let (sp, cp) = pitch.to_radians().sin_cos();
        let (sr, cr) = roll.to_radians().sin_cos();
        let turned = |x: f32, y: f32, z: f32| {
            let (x, z) = (x * cy + z * sy, z * cy - x * sy);
            let (y, z) = (y * cp - z * sp, y * sp + z * cp);
            [x * cr - y * sr, x * sr + y * cr, z]
        };
        let columns = [turned(1.0, 0.0, 0.0), turned(0.0, 1.0, 0.0), turned(0.0, 0.0, 1.0)];
        let rows = [0, 1, 2].map(|i| [columns[0][i], columns[1][i], columns[2][i]]);
        Self { rows, frame, yaw_sin: sy, pitch_sin: sp, roll: roll.to_radians() }
    }

    /// A direction as the camera sees it.
    pub fn turn(&self, v: Vec3) -> Vec3 {
        self.rows.map(|row| dot(row, v))
    }

    /// Pixels and depth (greater is nearer) of a point of the head.
    pub fn place(&self, p: Vec3) -> Vec3 {
        let v = self.turn(sub(p, PIVOT));
        let near = DISTANCE / (DISTANCE - v[2]);
        let unit = self.frame.unit * near;
        [self.frame.x + unit * (v[0] + PIVOT[0]), self.frame.y + unit * (v[1] + PIVOT[1]), v[2]]
    }

    /// Pixels of a point of the head.
    pub fn point(&self, p: Vec3) -> (f32, f32) {
        let [x, y, _] = self.place(p);
        (x, y)
    }
}

pub(super) fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn dot(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// Length 1, or straight at the viewer if there is no length.
pub(super) fn unit(v: Vec3) -> Vec3 {
    let length = dot(v, v).sqrt();
    if length > 1e-9 { v.map(|c| c / length) } else { [0.0, 0.0, 1.0] }
}
