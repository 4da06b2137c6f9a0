"""The demo pelvis: a prostate, 60 Gy in 20 fractions; its plan set stays incomplete."""

from rtpacs.demo.anatomy import Slab, Star, ellipsoid, mirrored
from rtpacs.demo.combined import Minus, Shell, Union
from rtpacs.demo.site import Layer, Scan, Site, Structure, Target, Tissue, bone, tissue

BODY = Star(
    (
        (-150, 0, 4, 182, 104),
        (-60, 0, 2, 192, 112),
        (0, 0, 0, 190, 112),
        (80, 0, 0, 178, 108),
        (150, 0, 0, 172, 104),
    ),
    {4: (-0.035, 0.0)},
)
MUSCLE_WALL = Star(
    ((-150, 0, 8, 160, 82), (0, 0, 4, 160, 88), (150, 0, 4, 138, 82)), {4: (-0.03, 0)}
)
PELVIC_FAT = Star(
    (
        (-90, 0, 20, 6, 20),
        (-60, 0, 10, 34, 50),
        (0, 0, 5, 74, 74),
        (60, 0, 0, 100, 72),
        (150, 0, -5, 108, 66),
    )
)
PROSTATE = ellipsoid((0, 8, 0), (24, 20, 21), {2: (0.02, 0), 3: (0, 0.04)})
SEMINAL = ellipsoid((0, 24, 24), (27, 8, 9), {2: (0.05, 0)})
BLADDER = ellipsoid((0, -22, 46), (42, 34, 34), {4: (-0.02, 0)})
RECTUM = Star(
    (
        (-40, 0, 44, 10, 10),
        (-20, 0, 46, 15, 14),
        (10, 1, 50, 18, 15),
        (45, 4, 62, 17, 14),
        (80, 10, 56, 16, 15),
    )
)
BULB = ellipsoid((0, 14, -38), (10, 9, 9))
BOWEL = Star(((58, 0, -34, 40, 26), (80, 0, -26, 88, 44), (150, 0, -22, 104, 56)), {3: (0, 0.05)})
FEMUR_HEAD = ellipsoid((92, -6, 22), (24, 24, 25))
FEMUR = Star(
    ((-150, 116, 6, 15, 15), (-40, 124, 4, 19, 22), (-4, 122, 0, 15, 24), (18, 108, -4, 12, 16))
)
CUP = Minus(Shell(FEMUR_HEAD.grown(6), 8), (Slab(100, 200, -60, 60),))
PUBIS = Star(((-22, 22, -52, 17, 8), (0, 24, -56, 21, 10), (20, 42, -48, 24, 8)), {}, -14)
ISCHIUM = Star(((-55, 52, 36, 12, 14), (-25, 62, 42, 14, 20), (10, 74, 38, 11, 20)), {}, 20)
ILIUM = Star(((46, 92, 10, 10, 32), (80, 104, 20, 8, 50), (120, 116, 10, 6, 58)), {}, -22)
SACRUM = Star(((36, 0, 78, 20, 9), (70, 0, 76, 48, 19), (150, 0, 62, 54, 30)), {3: (0, -0.12)})
GLUTEUS = ellipsoid((82, 62, 10), (70, 38, 140), turn_deg=-20)
VESSELS = Star(((0, 52, -46, 7, 7), (60, 56, -22, 7, 8), (150, 38, 10, 8, 8)))

SCAN = Scan(first_z_mm=-118.5, spacing_mm=3, slices=80, pixel_mm=0.9766, centre_y_mm=20)
COUCH = Slab(-220, 220, 115, 143)
PTV = PROSTATE.grown(6)
PTV_ALL = Union((PTV, SEMINAL.grown(6)))


def _pair(shape: Star) -> tuple[Star, Star]:
    """The organ on the left side and its mirror image."""
    return shape, mirrored(shape)


FEMUR_HEADS, FEMURS = _pair(FEMUR_HEAD), _pair(FEMUR)
BONES = (*_pair(ILIUM), *_pair(ISCHIUM), *_pair(PUBIS), SACRUM)
CUPS = (CUP, Minus(Shell(mirrored(FEMUR_HEAD).grown(6), 8), (Slab(-200, -100, -60, 60),)))

TISSUES = (
    Tissue(COUCH, (Layer(0, -250), Layer(2, -930))),
    Tissue(BODY, (Layer(0, -20), Layer(2.5, -105, 8))),
    tissue(MUSCLE_WALL, 50, 16),
    *(tissue(each, 52, 14) for each in _pair(GLUTEUS)),
    tissue(PELVIC_FAT, -90, 22),
    Tissue(BOWEL, (Layer(0, 5, 45),)),
    *(tissue(each, 42) for each in _pair(VESSELS)),
    tissue(SEMINAL, 30, 6),
    Tissue(BLADDER, (Layer(0, 35), Layer(3.5, 6))),
    Tissue(RECTUM, (Layer(0, 40), Layer(4, 5, 120))),
    *(tissue(each, 640, 60) for each in CUPS),
    *(bone(each, 3) for each in BONES),
    *(bone(each, 4) for each in FEMURS),
    *(bone(each, 2) for each in FEMUR_HEADS),
    tissue(PROSTATE, 40, 6),
    tissue(BULB, 45),
)

STRUCTURES = (
    Structure(name="BODY", kind="EXTERNAL", shape=BODY, color=(0, 200, 90)),
    Structure(name="Bladder", kind="ORGAN", shape=BLADDER, color=(255, 220, 0)),
    Structure(name="Rectum", kind="ORGAN", shape=RECTUM, color=(160, 90, 40)),
    Structure(name="Bag_Bowel", kind="ORGAN", shape=BOWEL, color=(220, 160, 110)),
    Structure(name="Femur_Head_L", kind="ORGAN", shape=FEMUR_HEADS[0], color=(90, 160, 255)),
    Structure(name="Femur_Head_R", kind="ORGAN", shape=FEMUR_HEADS[1], color=(60, 110, 230)),
    Structure(name="Femur_L", kind="ORGAN", shape=FEMURS[0], color=(120, 190, 240)),
    Structure(name="Femur_R", kind="ORGAN", shape=FEMURS[1], color=(80, 140, 190)),
    Structure(name="PenileBulb", kind="ORGAN", shape=BULB, color=(255, 105, 150)),
    Structure(name="SeminalVes", kind="ORGAN", shape=SEMINAL, color=(0, 220, 220)),
    Structure(name="Prostate", kind="ORGAN", shape=PROSTATE, color=(240, 150, 220)),
    Structure(name="Sacrum", kind="ORGAN", shape=SACRUM, color=(230, 230, 200)),
    Structure(name="Bone_Pelvic", kind="ORGAN", shape=Union(BONES), color=(200, 200, 170)),
    Structure(name="CTVp", kind="CTV", shape=Union((PROSTATE, SEMINAL)), color=(255, 90, 200)),
    Structure(name="PTVp_6000", kind="PTV", shape=PTV_ALL, color=(255, 30, 30)),
    Structure(name="CouchSurface", kind="SUPPORT", shape=COUCH, color=(140, 140, 150)),
)

SITE = Site(
    scan=SCAN,
    outline=BODY,
    tissues=TISSUES,
    structures=STRUCTURES,
    targets=(Target(name="PTVp_6000", dose_gy=60.0, parts=(PTV, SEMINAL.grown(6))),),
    spared=(("Rectum", 0.2),),
    isocentre_mm=(0.0, 12.0, 4.5),
)
