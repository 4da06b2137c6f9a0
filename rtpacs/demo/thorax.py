"""The demo thorax: a lung tumour with involved mediastinal nodes, 60 and 54 Gy in 30 fractions."""

from rtpacs.demo.anatomy import Slab, Star, ellipsoid
from rtpacs.demo.combined import Minus, Repeated, Shell, Union
from rtpacs.demo.site import Layer, Scan, Site, Structure, Target, Tissue, bone, tissue

BODY = Star(
    (
        (-190, 0, 0, 168, 112),
        (-80, 0, 0, 178, 116),
        (20, 0, 0, 180, 112),
        (110, 0, 4, 172, 98),
        (190, 0, 10, 150, 84),
    ),
    {2: (0.0, 0.0), 4: (-0.045, 0.0), 3: (0.0, -0.012)},
)
CAGE = Star(
    (
        (-190, 0, 2, 142, 92),
        (-60, 0, 2, 143, 94),
        (30, 0, 2, 132, 88),
        (100, 0, 6, 104, 72),
        (150, 0, 12, 78, 52),
        (190, 0, 14, 66, 44),
    ),
    {4: (-0.035, 0.0)},
)
SPINE = Star(((-190, 0, 57, 20, 16), (0, 0, 61, 18, 15), (190, 0, 49, 16, 13)))
CANAL = Star(((-190, 0, 80, 11, 9), (0, 0, 83, 10, 9), (190, 0, 69, 11, 9)))
CORD = Star(((-190, 0, 80, 5.5, 5), (0, 0, 83, 5.5, 5), (190, 0, 69, 6.5, 5)))
ARCH = Star(((-190, 0, 88, 17, 13), (0, 0, 91, 16, 12), (190, 0, 77, 16, 11)), {3: (0, 0.15)})
SPINOUS = Star(((-190, 0, 99, 4, 12), (0, 0, 101, 4, 11), (190, 0, 87, 4, 10)))
TRANSVERSE = Star(((-190, 0, 83, 32, 6), (0, 0, 85, 32, 6), (190, 0, 72, 28, 5)))
HEART = ellipsoid((26, -30, -46), (56, 45, 52), {2: (0, 0.06), 3: (0.04, 0)}, turn_deg=20)
LIVER = ellipsoid((-50, -8, -168), (88, 76, 74), {2: (0.03, 0.05), 3: (0.05, 0)})
STOMACH = ellipsoid((68, -22, -170), (42, 42, 50), turn_deg=25)
SPLEEN = ellipsoid((98, 42, -165), (24, 36, 44), turn_deg=-15)
AORTA = Union(
    (
        Star(((-32, -2, -26, 14, 14), (20, -8, -34, 16, 16), (62, -10, -28, 15, 15))),
        Star(((56, 8, 6, 15, 44), (66, 8, 6, 14, 44), (78, 8, 6, 10, 38)), turn_deg=-28),
        Star(((-190, 12, 44, 11, 11), (0, 22, 50, 12, 12), (66, 26, 44, 14, 14))),
    )
)
VENA_CAVA = Star(((-20, -34, -18, 10, 11), (40, -32, -18, 9, 11), (110, -26, -12, 8, 9)))
PULMONARY = Star(((0, 14, -34, 15, 14), (26, 8, -26, 24, 12), (44, 6, -20, 22, 9)), turn_deg=12)
ESOPHAGUS = Star(((-140, 8, 34, 9, 8), (0, 2, 42, 9, 6), (80, 4, 38, 8, 6), (165, 4, 42, 8, 6)))
TRACHEA = Star(((48, 0, 18, 13, 9), (70, 0, 18, 10, 9), (165, 0, 22, 9, 9)))
BRONCHI = Union(
    (
        Star(((10, -40, 20, 6, 7), (34, -24, 20, 8, 7), (52, -5, 18, 9, 8))),
        Star(((4, 44, 22, 6, 6), (30, 28, 20, 8, 6), (52, 5, 18, 9, 8))),
    )
)
MEDIASTINUM = Star(
    (
        (-190, 4, 0, 66, 84),
        (-90, 6, 2, 46, 88),
        (0, 2, 2, 36, 86),
        (70, 2, 6, 36, 82),
        (130, 0, 10, 34, 62),
        (190, 0, 14, 40, 50),
    ),
    {4: (0.08, 0.0)},
)
PARAVERTEBRAL = Star(((-190, 0, 75, 36, 26), (0, 0, 79, 32, 24), (190, 0, 65, 34, 20)))
GTV = ellipsoid((-74, -4, 26), (17, 15, 16), {3: (0.05, 0.03), 5: (0.0, 0.03)})
NODES = ellipsoid((-13, 2, 34), (17, 17, 30), {3: (0.05, -0.03)})
SPACE_IN_CAGE = CAGE.grown(-9)


def _lung(side: int) -> Minus:
    """One lung: a cone from the diaphragm to the apex without what lies between the lungs."""
    base = -148 if side > 0 else -118
    cone = Star(
        (
            (base, side * 72, 26, 54, 52),
            (base + 40, side * 70, 4, 64, 80),
            (10, side * 66, 0, 66, 86),
            (80, side * 54, 6, 54, 70),
            (125, side * 42, 12, 36, 46),
            (156, side * 36, 16, 14, 18),
        ),
        {4: (-0.04, 0.0)},
    )
    outside = Minus(cone.grown(60), (SPACE_IN_CAGE,))
    return Minus(
        cone, (outside, MEDIASTINUM, HEART.grown(2), LIVER.grown(3), STOMACH, PARAVERTEBRAL)
    )


LUNG_L, LUNG_R = _lung(1), _lung(-1)
LUNGS = Union((LUNG_L, LUNG_R), apart=True)
LUNGS_WITHOUT_GTV = Union((LUNG_L, Minus(LUNG_R, (GTV,))), apart=True)
STERNUM = Star(((-70, 0, -93, 10, 4), (0, 0, -90, 15, 5.5), (95, 0, -70, 22, 6)))
RIBS = Repeated(Minus(Shell(CAGE.grown(-3), 8), (STERNUM.grown(6),)), 27, 11, tilt=0.55)
DISCS = Repeated(SPINE.grown(1), 29, 6, phase_mm=4)
SCAPULAE = tuple(
    Star(
        ((40, s * 112, 74, 5, 22), (100, s * 106, 68, 5, 34), (180, s * 106, 60, 8, 38)), {}, s * 58
    )
    for s in (1, -1)
)
COUCH = Slab(-220, 220, 117, 145)
COUCH_CORE = Slab(-218, 218, 119, 143)

SCAN = Scan(first_z_mm=-171, spacing_mm=3, slices=115, pixel_mm=0.9766, centre_y_mm=20)

TISSUES = (
    Tissue(COUCH, (Layer(0, -250), Layer(2, -930))),
    Tissue(BODY, (Layer(0, -20), Layer(2.5, -105, 8), Layer(15, 48, 14))),
    Tissue(CAGE, (Layer(-5, -70, 25), Layer(-2, 40, 18))),
    *(tissue(scapula, 520, 120) for scapula in SCAPULAE),
    tissue(MEDIASTINUM, -60, 35),
    tissue(PARAVERTEBRAL, 45, 15),
    tissue(LUNG_L, -835, 75),
    tissue(LUNG_R, -835, 75),
    tissue(LIVER, 62, 6),
    tissue(STOMACH, 25, 8),
    tissue(SPLEEN, 55, 5),
    Tissue(HEART, (Layer(-2, -85), Layer(0, 46, 8))),
    tissue(PULMONARY, 46),
    tissue(VENA_CAVA, 44),
    *(tissue(part, 48) for part in AORTA.parts),
    Tissue(ESOPHAGUS, (Layer(0, 32), Layer(4.2, -300))),
    *(tissue(part, -960) for part in BRONCHI.parts),
    tissue(TRACHEA, -990),
    tissue(NODES, 38, 6),
    tissue(GTV, 36, 16),
    Tissue(RIBS, (Layer(0, 520, 60), Layer(2, 190, 40))),
    bone(STERNUM),
    *(bone(part) for part in (TRANSVERSE, ARCH, SPINOUS, SPINE)),
    tissue(DISCS, 85, 15),
    tissue(CANAL, 8),
    tissue(CORD, 38),
)

CTV = GTV.grown(6)
PTV = GTV.grown(11)
PTV_NODES = Minus(NODES.grown(6), (PTV,))

STRUCTURES = (
    Structure(name="BODY", kind="EXTERNAL", shape=BODY, color=(0, 200, 90)),
    Structure(name="Lung_L", kind="ORGAN", shape=LUNG_L, color=(90, 160, 255)),
    Structure(name="Lung_R", kind="ORGAN", shape=LUNG_R, color=(60, 110, 230)),
    Structure(name="Lungs", kind="ORGAN", shape=LUNGS, color=(120, 190, 240)),
    Structure(name="Lungs-GTV", kind="ORGAN", shape=LUNGS_WITHOUT_GTV, color=(150, 210, 210)),
    Structure(name="Heart", kind="ORGAN", shape=HEART, color=(255, 105, 150)),
    Structure(name="SpinalCord", kind="ORGAN", shape=CORD, color=(255, 220, 0)),
    Structure(name="SpinalCord_PRV05", kind="AVOIDANCE", shape=CORD.grown(5), color=(200, 170, 40)),
    Structure(name="Esophagus", kind="ORGAN", shape=ESOPHAGUS, color=(190, 120, 60)),
    Structure(name="Trachea", kind="ORGAN", shape=TRACHEA, color=(0, 220, 220)),
    Structure(name="Bronchus_Main", kind="ORGAN", shape=BRONCHI, color=(0, 170, 180)),
    Structure(name="A_Aorta", kind="ORGAN", shape=AORTA, color=(220, 60, 60)),
    Structure(name="Liver", kind="ORGAN", shape=LIVER, color=(160, 90, 40)),
    Structure(name="Stomach", kind="ORGAN", shape=STOMACH, color=(220, 180, 140)),
    Structure(name="Spleen", kind="ORGAN", shape=SPLEEN, color=(150, 60, 130)),
    Structure(name="Sternum", kind="ORGAN", shape=STERNUM, color=(230, 230, 200)),
    Structure(name="SpinalCanal", kind="ORGAN", shape=CANAL, color=(180, 180, 90)),
    Structure(name="GTVp", kind="GTV", shape=GTV, color=(255, 140, 0)),
    Structure(name="CTVp", kind="CTV", shape=CTV, color=(255, 90, 200)),
    Structure(name="PTVp_6000", kind="PTV", shape=PTV, color=(255, 30, 30)),
    Structure(name="CTVn", kind="CTV", shape=NODES, color=(200, 110, 255)),
    Structure(name="PTVn_5400", kind="PTV", shape=PTV_NODES, color=(150, 60, 255)),
    Structure(name="CouchSurface", kind="SUPPORT", shape=COUCH, color=(140, 140, 150)),
    Structure(name="CouchInterior", kind="SUPPORT", shape=COUCH_CORE, color=(100, 100, 110)),
)

SITE = Site(
    scan=SCAN,
    outline=BODY,
    tissues=TISSUES,
    structures=STRUCTURES,
    targets=(
        Target(name="PTVp_6000", dose_gy=60.0, parts=(PTV,)),
        Target(name="PTVn_5400", dose_gy=54.0, parts=(NODES.grown(6),)),
    ),
    spared=(("SpinalCord_PRV05", 0.45), ("Heart", 0.2)),
    isocentre_mm=(-44.0, 0.0, 30.0),
)
