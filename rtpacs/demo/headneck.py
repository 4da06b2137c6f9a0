"""The demo head and neck: an oropharynx tumour, 70, 63 and 56 Gy in 35 fractions."""

from rtpacs.demo.anatomy import Slab, Star, ellipsoid, mirrored
from rtpacs.demo.combined import Minus, Repeated, Shell, Union
from rtpacs.demo.site import Layer, Scan, Site, Structure, Target, Tissue, bone, tissue

HEAD = Star(
    (
        (-150, 0, 22, 212, 82),
        (-125, 0, 22, 195, 78),
        (-105, 0, 22, 135, 68),
        (-88, 0, 20, 74, 60),
        (-70, 0, 17, 61, 60),
        (-45, 0, 12, 60, 68),
        (-25, 0, 0, 64, 86),
        (0, 0, -5, 69, 93),
        (40, 0, -4, 75, 98),
        (80, 0, -2, 77, 99),
        (120, 0, 0, 70, 90),
        (145, 0, 2, 54, 70),
        (160, 0, 4, 33, 44),
        (168, 0, 5, 12, 16),
    ),
    {4: (-0.015, 0.0)},
)
NOSE = ellipsoid((0, -99, 28), (13, 15, 24))
BODY = Union((HEAD, NOSE))
SKULL = ellipsoid((0, 0, 82), (71, 92, 79))
BRAIN = Union(
    (Star(ellipsoid((0, 1, 84), (64, 85, 73)).keys[3:]), ellipsoid((0, 52, 46), (48, 27, 19)))
)
SKULL_BASE = Star(((30, 0, 12, 52, 36), (40, 0, 6, 60, 52), (47, 0, 4, 60, 50)), {4: (0.06, 0)})
OCCIPUT = Star(((30, 0, 58, 48, 28), (44, 0, 52, 58, 37), (53, 0, 47, 60, 42)))
PETROUS = ellipsoid((38, 8, 42), (22, 11, 10), turn_deg=-25)
MASTOID_AIR = ellipsoid((52, 20, 34), (7, 9, 12))
SINUS = ellipsoid((23, -60, 26), (12, 17, 16))
NASAL = Star(((10, 0, -60, 9, 24), (30, 0, -68, 11, 26), (48, 0, -70, 8, 20)))
SEPTUM = Star(((10, 0, -60, 1.6, 24), (48, 0, -70, 1.6, 20)))
ORBIT = ellipsoid((31, -62, 57), (19, 24, 19), turn_deg=20)
EYE = ellipsoid((32, -72, 57), (12.2, 12.4, 12.2))
LENS = ellipsoid((32, -81, 57), (4.6, 2.2, 4.6))
NERVE = Star(((54.5, 19, -48, 2.6, 19), (61.5, 16, -45, 2.6, 19)), {}, -33)
CHIASM = ellipsoid((0, -27, 61), (9, 5, 4))
PITUITARY = ellipsoid((0, -24, 54), (6, 5, 4))
COCHLEA = ellipsoid((24, 5, 43), (4.2, 3.6, 4.2))
STEM = Star(((14, 0, 27, 7, 6.5), (28, 0, 20, 11, 10), (45, 0, 10, 15, 12), (62, 0, 6, 16, 11)))
CORD = Star(((-150, 0, 42, 6, 5), (-60, 0, 38, 6.5, 5), (-20, 0, 33, 6.5, 5), (14, 0, 28, 6.5, 6)))
CANAL = CORD.grown(3)
VERTEBRA = Star(
    ((-150, 0, 20, 15, 13), (-60, 0, 18, 13, 11), (-10, 0, 14, 12, 10), (18, 0, 14, 11, 8))
)
LAMINA = Star(
    ((-150, 0, 46, 18, 14), (-60, 0, 43, 18, 13), (-10, 0, 37, 19, 13), (18, 0, 32, 21, 12))
)
SPINOUS = Repeated(Star(((-150, 0, 64, 4, 12), (-10, 0, 56, 5, 10), (2, 0, 54, 5, 8))), 18, 11, 0.2)
DISCS = Repeated(VERTEBRA.grown(0.5), 18, 4.5)
JAW = Star(((-26, 0, -40, 38, 44), (-14, 0, -40, 45, 44), (6, 0, -40, 47, 42)), {2: (0.0, 0.05)})
JAW_INSIDE = Star(((-40, 0, -30, 27, 41), (-14, 0, -30, 34, 43), (20, 0, -30, 37, 41)))
RAMUS = Star(((-8, 46, -20, 5, 13), (12, 48, -18, 4.5, 16), (36, 49, -10, 4, 13)), {}, -8)
MANDIBLE = Union((Minus(JAW, (JAW_INSIDE, Slab(-80, 80, -14, 40))), RAMUS, mirrored(RAMUS)))
TEETH = Minus(
    Star(((4, 0, -40, 38, 41), (18, 0, -40, 37, 40))),
    (Star(((3, 0, -34, 29, 38), (19, 0, -34, 28, 37))), Slab(-80, 80, -26, 40)),
)
MAXILLA = Star(((14, 0, -48, 36, 34), (26, 0, -50, 34, 34)))
CAVITY_ORAL = Star(((-16, 0, -44, 20, 22), (-2, 0, -46, 29, 29), (14, 0, -44, 27, 28)))
PHARYNX_AIR = Star(((-32, 0, -10, 9, 6), (0, 2, -5, 8, 6), (24, 0, -8, 12, 7), (40, 0, -14, 10, 8)))
LARYNX = Star(((-74, 0, -24, 13, 14), (-55, 0, -26, 20, 19), (-34, 0, -22, 17, 16)), {3: (0, -0.1)})
LARYNX_AIR = Star(((-76, 0, -20, 7, 9), (-58, 0, -24, 4, 10), (-34, 0, -16, 9, 8)))
CARTILAGE = Minus(Shell(LARYNX, 3.5), (Slab(-40, 40, -18, 20),))
TRACHEA = Star(((-150, 0, -10, 9, 9), (-110, 0, -16, 9, 8.5), (-74, 0, -20, 8, 9)))
ESOPHAGUS = Star(((-150, 3, 4, 9, 6), (-110, 2, 2, 8, 5), (-72, 0, 0, 8, 5)))
THYROID = ellipsoid((17, -16, -86), (9, 11, 20), turn_deg=-15)
PAROTID = ellipsoid((54, 6, 10), (9.5, 17, 24), {3: (0.1, 0.05)}, turn_deg=-12)
SUBMANDIBULAR = ellipsoid((30, -28, -26), (10, 12, 13), turn_deg=-20)
STERNOMASTOID = Star(
    ((-100, 18, -18, 9, 14), (-60, 38, 0, 8, 17), (-20, 48, 20, 7, 14), (16, 52, 28, 6, 9)), {}, -25
)
BACK_MUSCLES = Star(((-150, 0, 58, 70, 32), (-60, 0, 52, 44, 22), (-10, 0, 50, 48, 24)))
CAROTID = Star(((-110, 20, -8, 4, 4), (-60, 26, 0, 4, 4), (20, 24, 4, 3, 3)))
JUGULAR = Star(((-110, 30, -2, 6, 6), (-60, 35, 6, 6, 6), (20, 30, 12, 4, 4)))
CLAVICLE = Star(((-138, 80, -24, 66, 5), (-126, 84, -22, 66, 6), (-116, 110, -18, 40, 5)), {}, 12)
LUNG_APEX = Star(((-150, 58, 18, 38, 36), (-128, 54, 22, 26, 26), (-114, 50, 26, 9, 9)))
HUMERUS = ellipsoid((158, 18, -140), (24, 24, 26))

SCAN = Scan(first_z_mm=-123.75, spacing_mm=2.5, slices=120, pixel_mm=0.9, centre_y_mm=15)
HEADREST = Minus(
    Star(((-90, 0, 122, 120, 34), (170, 0, 122, 120, 34)), {4: (-0.05, 0.0)}), (HEAD.grown(2),)
)
COUCH = Slab(-205, 205, 128, 150)

GTV = ellipsoid((-16, -15, -6), (15, 15, 18), {3: (0.05, -0.04)})
CTV, PTV = GTV.grown(5), GTV.grown(9)
NODE_R = Star(((-55, -34, 4, 11, 17), (-25, -38, 8, 12, 19), (12, -40, 12, 9, 14)), {3: (0, 0.06)})
LOW_R = Star(((-98, -30, 4, 12, 17), (-76, -33, 3, 12, 18), (-57, -34, 4, 11, 17)))
NODE_L = Star(
    ((-98, 30, 4, 12, 17), (-50, 35, 4, 11, 17), (-20, 38, 8, 11, 17), (8, 40, 12, 8, 12))
)
PTV_63 = Minus(NODE_R.grown(4), (PTV,))
PTV_56 = Minus(Union((LOW_R.grown(4), NODE_L.grown(4))), (PTV, NODE_R.grown(4)))


def _pair(shape: Star) -> tuple[Star, Star]:
    """The organ on the left side and its mirror image."""
    return shape, mirrored(shape)


TISSUES = (
    Tissue(COUCH, (Layer(0, -250), Layer(2, -930))),
    tissue(HEADREST, -940, 5),
    tissue(NOSE, -20),
    Tissue(HEAD, (Layer(0, 10), Layer(2.5, -100, 8), Layer(7, 45, 14))),
    tissue(NOSE.grown(-3), 20, 30),
    tissue(BACK_MUSCLES, 60, 12),
    tissue(Star(((-128, 0, -2, 62, 24), (-70, 0, -2, 46, 26), (-20, 0, -4, 46, 24))), -75, 30),
    *(tissue(each, 62, 8) for each in _pair(STERNOMASTOID)),
    *(tissue(each, 40) for each in (*_pair(CAROTID), *_pair(JUGULAR))),
    *(tissue(each, -820, 40) for each in _pair(LUNG_APEX)),
    *(bone(each, 3) for each in _pair(HUMERUS)),
    *(bone(each) for each in _pair(CLAVICLE)),
    Tissue(Minus(SKULL, (Slab(-90, 90, -60, 0),)), (Layer(0, 45),)),
    Tissue(
        Star(SKULL.keys[3:]),
        (Layer(0, 900, 60), Layer(2, 420, 90), Layer(4.5, 950, 50), Layer(6.5, 34, 4)),
    ),
    bone(SKULL_BASE, 3),
    Tissue(OCCIPUT, (Layer(0, 760, 60), Layer(5, 34, 4))),
    *(tissue(each, 900, 120) for each in _pair(PETROUS)),
    *(tissue(each, -500, 350) for each in _pair(MASTOID_AIR)),
    bone(MAXILLA, 2),
    *(Tissue(each, (Layer(-2, 600), Layer(0, -970))) for each in _pair(SINUS)),
    Tissue(NASAL, (Layer(-2, 450), Layer(0, -700, 250))),
    tissue(SEPTUM, 200),
    *(Tissue(each, (Layer(-2, 500), Layer(0, -85, 10))) for each in _pair(ORBIT)),
    *(tissue(each, 40) for each in _pair(NERVE)),
    *(Tissue(each, (Layer(0, 50), Layer(1.2, 12))) for each in _pair(EYE)),
    *(tissue(each, 95) for each in _pair(LENS)),
    *(tissue(each, 30) for each in (STEM, CHIASM)),
    tissue(CAVITY_ORAL, 48, 14),
    bone(MANDIBLE, 2.5),
    tissue(TEETH, 1500, 200),
    *(tissue(each, -25, 14) for each in _pair(PAROTID)),
    *(tissue(each, 35, 8) for each in _pair(SUBMANDIBULAR)),
    tissue(LARYNX, 45, 10),
    tissue(CARTILAGE, 190, 60),
    *(tissue(each, 115, 8) for each in _pair(THYROID)),
    tissue(GTV, 62, 8),
    *(tissue(each, -985) for each in (PHARYNX_AIR, LARYNX_AIR, TRACHEA)),
    tissue(ESOPHAGUS, 35),
    *(bone(each) for each in (LAMINA, SPINOUS, VERTEBRA)),
    tissue(DISCS, 90, 12),
    tissue(CANAL, 10),
    tissue(CORD, 38),
)


def _sides(name: str, shape: Star, color: tuple[int, int, int]) -> tuple[Structure, Structure]:
    """The organ of both sides; the right one a little darker."""
    left, right = _pair(shape)
    darker = (color[0] * 3 // 4, color[1] * 3 // 4, color[2] * 3 // 4)
    return (
        Structure(name=f"{name}_L", kind="ORGAN", shape=left, color=color),
        Structure(name=f"{name}_R", kind="ORGAN", shape=right, color=darker),
    )


STRUCTURES = (
    Structure(name="BODY", kind="EXTERNAL", shape=BODY, color=(0, 200, 90)),
    Structure(name="Brain", kind="ORGAN", shape=BRAIN, color=(200, 200, 255)),
    Structure(name="Brainstem", kind="ORGAN", shape=STEM, color=(0, 220, 220)),
    Structure(name="SpinalCord", kind="ORGAN", shape=CORD, color=(255, 220, 0)),
    Structure(name="SpinalCord_PRV03", kind="AVOIDANCE", shape=CORD.grown(3), color=(200, 170, 40)),
    *_sides("Parotid", PAROTID, (120, 200, 120)),
    *_sides("Glnd_Submand", SUBMANDIBULAR, (180, 220, 90)),
    *_sides("Cochlea", COCHLEA, (240, 150, 220)),
    *_sides("OpticNrv", NERVE, (255, 190, 90)),
    Structure(name="OpticChiasm", kind="ORGAN", shape=CHIASM, color=(255, 120, 60)),
    Structure(name="Pituitary", kind="ORGAN", shape=PITUITARY, color=(220, 90, 140)),
    *_sides("Eye", EYE, (90, 170, 255)),
    *_sides("Lens", LENS, (200, 240, 255)),
    Structure(name="Bone_Mandible", kind="ORGAN", shape=MANDIBLE, color=(230, 230, 200)),
    Structure(name="Cavity_Oral", kind="ORGAN", shape=CAVITY_ORAL, color=(230, 130, 130)),
    Structure(name="Larynx", kind="ORGAN", shape=LARYNX, color=(110, 110, 255)),
    Structure(name="Esophagus", kind="ORGAN", shape=ESOPHAGUS, color=(190, 120, 60)),
    Structure(name="Trachea", kind="ORGAN", shape=TRACHEA, color=(0, 170, 180)),
    Structure(name="GTVp", kind="GTV", shape=GTV, color=(255, 140, 0)),
    Structure(name="CTVp_7000", kind="CTV", shape=CTV, color=(255, 90, 200)),
    Structure(name="PTVp_7000", kind="PTV", shape=PTV, color=(255, 30, 30)),
    Structure(name="PTVn_6300", kind="PTV", shape=PTV_63, color=(255, 100, 30)),
    Structure(name="PTVn_5600", kind="PTV", shape=PTV_56, color=(150, 60, 255)),
)

SITE = Site(
    scan=SCAN,
    outline=HEAD,
    tissues=TISSUES,
    structures=STRUCTURES,
    targets=(
        Target(name="PTVp_7000", dose_gy=70.0, parts=(PTV,)),
        Target(name="PTVn_6300", dose_gy=63.0, parts=(NODE_R.grown(4),)),
        Target(name="PTVn_5600", dose_gy=56.0, parts=(LOW_R.grown(4), NODE_L.grown(4))),
    ),
    spared=(("SpinalCord_PRV03", 0.2), ("Parotid_L", 0.4)),
    isocentre_mm=(0.0, 0.0, -38.75),
)
