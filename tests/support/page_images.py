"""Page images that every OCR engine reads without a fault."""

from PIL import Image, ImageDraw, ImageFont

LEFT = ("The left column opens the", "page and speaks about the", "neck of the wooden model", "and of its seven blocks.")
RIGHT = ("The right column follows", "with words on the lower", "back, where five blocks", "carry the whole weight.")


def two_columns() -> Image.Image:
    """A page of LEFT beside RIGHT at 150 dpi."""
    image = Image.new("RGB", (1240, 700), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=34)
    for number, (left, right) in enumerate(zip(LEFT, RIGHT)):
        draw.text((80, 100 + 55 * number), left, fill="black", font=font)
        draw.text((680, 100 + 55 * number), right, fill="black", font=font)
    return image
