"""The C++ geometry against Box2D, number for number, in every build this processor can run."""

import importlib
import itertools
import math

import numpy as np
import pytest

from teachenv.envs.bipedal.lidar import OFFSETS

baseline = pytest.importorskip(
    "teachenv.envs.bipedal._native_baseline",
    reason="the native engine (teachenv.envs.bipedal._native_*) is not built",
    exc_type=ModuleNotFoundError,
)
b2 = pytest.importorskip("Box2D")

BUILDS = [importlib.import_module(f"teachenv.envs.bipedal._native_{isa}") for isa in baseline.ISAS]
HULL = np.array(((-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8)), np.float32) / np.float32(30)
TOUCHING = b2.b2TOIOutput.e_touching
SEPARATED = b2.b2TOIOutput.e_separated


def single(*values):
    """Round to float32, so that both sides read the same numbers."""
    return tuple(float(value) for value in np.asarray(values, dtype=np.float32))


class Body:
    """One shape, in every build and in Box2D."""

    def __init__(self, kind, points):
        points = np.ascontiguousarray(points, np.float32)
        pairs = [tuple(map(float, point)) for point in points]
        if kind == "box":
            (size,) = pairs
            self.native = [build._Shape.box(*size) for build in BUILDS]
            self.box2d = b2.b2PolygonShape(box=size)
        elif kind == "edge":
            self.native = [build._Shape.edge(*pairs) for build in BUILDS]
            self.box2d = b2.b2EdgeShape(vertices=pairs)
        else:
            self.native = [build._Shape.polygon(points) for build in BUILDS]
            self.box2d = b2.b2PolygonShape(vertices=pairs)
        self.points = np.array(self.native[0].vertices)


def random_outline(rng, radius):
    while True:
        angles = np.sort(rng.uniform(0.0, 2.0 * np.pi, rng.integers(3, 9)))
        points = radius * np.stack([np.cos(angles), rng.uniform(0.3, 1.0) * np.sin(angles)], 1)
        after = np.roll(points, -1, 0)
        area = 0.5 * (points[:, 0] * after[:, 1] - points[:, 1] * after[:, 0]).sum()
        if np.hypot(*(after - points).T).min() > 0.02 and area > 0.02 * radius**2:
            return points


def random_part(rng):
    kind = rng.integers(4)
    if kind == 0:
        return Body("polygon", HULL)
    if kind == 1:
        return Body("polygon", random_outline(rng, rng.uniform(0.1, 1.0)))
    size = (4 / 30, 17 / 30) if kind == 2 else rng.uniform(0.05, 1.0, 2)
    return Body("box", [size])


def random_terrain(rng, kind):
    corner = rng.uniform((0.0, 0.0), (95.0, 10.0))
    if kind == "edge":
        rise = rng.choice([0.0, rng.uniform(-0.4, 0.4)])
        way = (14 / 30, rise) if rng.random() < 0.7 else rng.uniform(-2.0, 2.0, 2)
        return Body("edge", [corner, corner + way])
    if rng.random() < 0.5:
        return Body("polygon", rng.permutation(corner + random_outline(rng, rng.uniform(0.2, 2.0))))
    width, height = rng.uniform(0.02, 2.0, 2)
    points = np.array([(0, 0), (width, 0), (width, height), (0, height)])
    if rng.random() < 0.5:
        angle = rng.uniform(-np.pi, np.pi)
        turn = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        points = points @ np.array(turn)
    return Body("polygon", rng.permutation(corner + points))


def to_transform(placement):
    transform = b2.b2Transform()
    transform.SetIdentity()
    transform.position = placement[:2]
    transform.q.s, transform.q.c = placement[2:]
    return transform


REST = to_transform((0.0, 0.0, 0.0, 1.0))


def near(rng, terrain, part, gap):
    """Return a placement (x, y, sine, cosine) at about a gap from the terrain, and the angle."""
    angle = rng.choice([0.0, 0.5 * np.pi, np.pi, 1e-4, rng.uniform(-np.pi, np.pi)])
    turn = single(math.sin(angle), math.cos(angle))
    side = rng.choice([0.5 * np.pi * rng.integers(4), rng.uniform(-np.pi, np.pi)])
    direction = np.array([math.cos(side), math.sin(side)])
    place = rng.dirichlet(np.ones(len(terrain.points))) @ terrain.points + 8.0 * direction
    for _ in range(12):
        distance = b2.b2Distance(
            shapeA=terrain.box2d,
            shapeB=part.box2d,
            transformA=REST,
            transformB=to_transform((*single(*place), *turn)),
            useRadii=False,
        ).distance
        if distance < 1e-4:
            break
        place = place - distance * direction
    return (*single(*(place + gap * direction)), *turn), angle


def random_cases(seed, kind, count, gap):
    """Yield terrains, parts, and placements near contact."""
    rng = np.random.default_rng(seed)
    for _ in range(count // 5):
        terrain, part = random_terrain(rng, kind), random_part(rng)
        for _ in range(5):
            yield rng, terrain, part, *near(rng, terrain, part, gap(rng))


def box2d_manifold(kind, terrain, part, placement):
    collide = b2.b2CollideEdgeAndPolygon if kind == "edge" else b2.b2CollidePolygons
    manifold = b2.b2Manifold()
    collide(manifold, terrain.box2d, REST, part.box2d, to_transform(placement))
    points = manifold.points
    return (
        manifold.type_ == b2.b2Manifold.e_faceB,
        tuple(manifold.localNormal),
        tuple(manifold.localPoint),
        [(tuple(p.localPoint), p.id.key) for p in points[: manifold.pointCount]],
    )


def flat(manifold):
    on_part, normal, point, points = manifold
    return on_part, tuple(normal), tuple(point), [(tuple(place), key) for place, key in points]


@pytest.mark.parametrize("kind", ["edge", "polygon"])
def test_manifolds_equal_box2d(kind):
    counts = [0, 0, 0]
    cases = random_cases(1, kind, 20_000, lambda rng: rng.uniform(-0.03, 0.03))
    for _, terrain, part, placement, _ in cases:
        expected = box2d_manifold(kind, terrain, part, placement)
        counts[len(expected[3])] += 1
        for build, a, b in zip(BUILDS, terrain.native, part.native, strict=True):
            found = flat(build._collide(a, b, placement))
            if expected[3]:
                assert found == expected, (build.__name__, terrain.points, part.points, placement)
            else:
                assert not found[3], (build.__name__, terrain.points, part.points, placement)
    assert min(counts) > 100


def random_motion(rng, part, placement, angle, violent):
    center = np.array(part.native[0].mass(1.0)[1])
    x, y, s, c = placement
    start = np.array([x + c * center[0] - s * center[1], y + s * center[0] + c * center[1]])
    end = start + rng.normal(size=2) * (1.0 if violent else 0.05)
    angle += 2.0 * np.pi * rng.integers(-8, 9)
    return single(*center, *start, *end, angle, angle + rng.normal() * (1.5 if violent else 0.08))


def box2d_impact(terrain, part, motion):
    still, moving = b2.b2Sweep(), b2.b2Sweep()
    still.localCenter = still.c0 = still.c = (0.0, 0.0)
    still.a0 = still.a = 0.0
    moving.localCenter, moving.c0, moving.c = motion[:2], motion[2:4], motion[4:6]
    moving.a0, moving.a = motion[6:]
    return b2.b2TimeOfImpact(
        shapeA=terrain.box2d, shapeB=part.box2d, sweepA=still, sweepB=moving, tMax=1.0
    )


@pytest.mark.parametrize("violent", [False, True])
@pytest.mark.parametrize("kind", ["edge", "polygon"])
def test_times_of_impact_equal_box2d_up_to_the_rounding_of_sines(kind, violent):
    errors, flips, separated, rejected = [], 0, 0, 0
    cases = random_cases(2, kind, 10_000, lambda rng: rng.exponential(0.05))
    for rng, terrain, part, placement, angle in cases:
        motion = random_motion(rng, part, placement, angle, violent)
        state, time = box2d_impact(terrain, part, motion)
        shapes = list(zip(BUILDS, terrain.native, part.native, strict=True))
        found = [build._time_of_impact(a, b, motion) for build, a, b in shapes]
        apart = [build._surely_apart(a, b, motion) for build, a, b in shapes]
        assert len(set(found)) == 1
        assert len(set(apart)) == 1
        assert not (apart[0] and state == TOUCHING), (terrain.points, part.points, motion)
        separated += state == SEPARATED
        rejected += apart[0]
        if found[0][0] != (state == TOUCHING):
            flips += 1
        elif state == TOUCHING:
            errors.append(abs(found[0][1] - time))
        else:
            assert found[0][1] == 1.0
    assert flips <= 1  # none here, but one in a million depends on the last bit of a sine
    assert len(errors) > 1000
    # The root search stops anywhere within its tolerance, so a last bit can move it far, rarely.
    assert np.mean(np.array(errors) > 1e-4) < 2e-3
    assert max(errors) < 0.05
    assert rejected > (0.2 if violent else 0.8) * separated


def test_shapes_equal_box2d():
    rng = np.random.default_rng(3)
    for _ in range(500):
        body = random_part(rng) if rng.random() < 0.5 else random_terrain(rng, "polygon")
        placement = single(*rng.uniform(-9.0, 9.0, 2), math.sin(0.3), math.cos(0.3))
        bounds = body.box2d.getAABB(to_transform(placement), 0)
        mass = body.box2d.getMass(1.7)
        for shape in body.native:
            assert shape.vertices == [tuple(v) for v in body.box2d.vertices]
            assert shape.normals == [tuple(n) for n in body.box2d.normals]
            assert tuple(shape.centroid) == tuple(body.box2d.centroid)
            assert shape.mass(1.7) == (mass.mass, list(mass.center), mass.I)
            assert shape.bounds(placement) == (list(bounds.lowerBound), list(bounds.upperBound))


def nearest_hit(shapes, start, end):
    shot, result = b2.b2RayCastInput(), b2.b2RayCastOutput()
    shot.p1, shot.p2, shot.maxFraction = start, end, 1.0
    hits = [result.fraction for shape in shapes if shape.RayCast(result, shot, REST, 0)]
    return min(hits, default=1.0)


def test_the_range_finder_equals_box2ds_ray_casts():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(300):
        x = np.cumsum(rng.uniform(0.2, 2.0, 30)).astype(np.float32)
        ground = np.stack([x - 2.0, rng.uniform(0.0, 2.0, 30)], 1).astype(np.float32)
        places = [rng.uniform([0.0, 0.0], [14.0, 3.0]) for _ in range(rng.integers(0, 6))]
        polygons = [
            np.ascontiguousarray(place + random_outline(rng, 0.8), np.float32) for place in places
        ]
        edges = itertools.pairwise(tuple(map(float, point)) for point in ground)
        shapes = [b2.b2EdgeShape(vertices=list(edge)) for edge in edges]
        shapes += [b2.b2PolygonShape(vertices=polygon.tolist()) for polygon in polygons]
        start = single(*rng.uniform([0.0, 1.5], [12.0, 6.0]))
        expected = [
            nearest_hit(shapes, start, single(start[0] + dx, start[1] + dy)) for dx, dy in OFFSETS
        ]
        hits += sum(fraction < 1.0 for fraction in expected)
        for build in BUILDS:
            assert build._scan(ground, polygons, start) == expected
    assert hits > 1000


def test_a_polygon_needs_three_to_eight_points():
    for count in (0, 2, 9):
        with pytest.raises(ValueError, match="3 to 8"):
            baseline._Shape.polygon(np.zeros((count, 2), np.float32))


def test_sines_and_cosines_are_good_to_one_and_a_half_units_in_the_last_place():
    quarters = (np.arange(-63, 64) * (np.pi / 2)).astype(np.float32)
    ulps = np.arange(-1000, 1001, dtype=np.int32)
    angles = np.concatenate(
        [
            np.linspace(-100.0, 100.0, 1_000_001, dtype=np.float32),
            np.random.default_rng(5).uniform(-8.0, 8.0, 500_000).astype(np.float32),
            (quarters.view(np.int32)[:, None] + ulps).view(np.float32)[quarters != 0].ravel(),
        ]
    )
    exact = np.stack([np.sin(angles, dtype=np.float64), np.cos(angles, dtype=np.float64)], 1)
    found = baseline._sines_and_cosines(angles)
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert (np.abs(found - exact) / unit).max() <= 1.5
    for build in BUILDS[1:]:
        assert np.array_equal(build._sines_and_cosines(angles), found)
