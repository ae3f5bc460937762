"""What people write before a number, in the languages we read."""

from __future__ import annotations

# A label that announces a tracking number. Words in lower case; one space stands for up to three
# characters that are neither letter nor digit.
TRACKING = """
tracking|track|tracked|waybill|air waybill|airwaybill|airbill|awb|consignment|consignment note
shipment number|shipment no|shipment id|shipment nr|parcel number|parcel no|parcel id|package number
package id|pro number|pro no|pro nr|label number|trace|traced|shipment reference|tracking reference
consignment reference|parcel reference
sendungsnummer|sendungsnummern|sendungs nr|sendungs id|sendungsnr|sendungsverfolgung
sendungsverfolgungsnummer|paketnummer|paketnummern|paket nr|paketnr|paketverfolgung|trackingnummer
trackingnummern|tracking nr|frachtbriefnummer|frachtbrief|identcode|verfolgung|verfolgungsnummer
suivi|numéro de suivi|numero de suivi|numéro de colis|n de suivi|suivre|bordereau
numéro d expédition
seguimiento|rastreo|localizador|número de envío|numero de envio|número de guía|guía|rastrear
tracciamento|tracciabilità|numero di spedizione|lettera di vettura|ldv|rintracciare|traccia|segui
zendingsnummer|zendingnummer|pakketnummer|trackingcode|trackingnumber|volgcode|track trace
barcode zending|volgnummer
numer przesyłki|numeru przesyłki|numer paczki|numeru paczki|śledzenia|śledzenie|śledź
list przewozowy|nr przesyłki|nr paczki
rastreio|rastreamento|código de rastreio|objeto|kollinummer|spårningsnummer|försändelsenummer
spåra
sporingsnummer|pakkenummer|sporing|kolli id
"""

# Words of shipping: weaker than a label, they still say what kind of thing is spoken of.
SHIPPING = """
shipped|shipment|shipments|parcel|parcels|package|packages|dispatched|despatched|courier|carrier
delivery|delivered|shipping|in transit|freight|pallet
sendung|sendungen|paket|pakete|versandt|versendet|verschickt|versand|zustellung|lieferung
colis|expédié|expédiée|expédition|livraison|livré|transporteur
envío|enviado|paquete|paquetes|entrega|transportista|mensajería
spedizione|spedito|spedita|pacco|pacchi|consegna|corriere
verzonden|zending|zendingen|pakket|pakketten|bezorging|levering
przesyłka|przesyłki|paczka|paczki|paczkę|nadana|wysłana|wysłano|kurier|dostawa
encomenda|enviada|försändelse|paketet|pakke|forsendelse
"""

# Labels of other numbers. They count only where they stand directly before the number.
OTHER = """
phone|telephone|tel|mobile|cell|fax|call|whatsapp|hotline|helpline|dial|ext|sms|cel
telefon|telefax|mobil|handy|fon|rufnummer|durchwahl|ruf|anrufen
téléphone|tél|portable|appelez|télécopie
teléfono|telf|tfno|móvil|llámenos|telefono|cellulare|cell|telefoon|mobiel|komórka
order|order number|order no|order id|purchase order|po|p o|po number|po no|sales order|so|work order
bestellung|bestellnummer|bestell nr|bestellnr
auftrag|auftragsnummer|auftrags nr|auftragsnr
commande|commande n|numéro de commande|n de commande|bon de commande|pedido|número de pedido
n pedido|ordine|numero ordine|n ordine|bestelling|bestelnummer|ordernummer|zamówienie
zamówienia|nr zamówienia|numer zamówienia|encomenda n
delivery note|packing slip|lieferschein|lieferschein nr|lieferscheinnummer
bon de livraison|ddt|pakbon
invoice|invoice number|invoice no|inv|bill|receipt|proforma|credit note|statement|quote|quotation
rechnung|rechnungsnummer|rechnungs nr|re nr|rechnungsnr|gutschrift|beleg|belegnummer|angebot
facture|n de facture|numéro de facture|devis|avoir|factura|número de factura|albarán
fattura|bolla
preventivo|factuur|factuurnummer|faktura|faktury|numer faktury|paragon|fatura
customer|customer number|customer no|customer id|account|account number|account no|acct|member
membership|user id|client id|kundennummer|kunden nr|kundennr|konto|kontonummer|vertragsnummer
numéro client|n client|compte|número de cliente|n cliente|codice cliente|klantnummer|numer klienta
vat|vat no|vat id|tax id|ein|tin|ust id|ust idnr|ustid
steuernummer|steuer nr|hrb|tva|siret|siren|nif
cif|iva|p iva|partita iva|btw|kvk|nip|regon|krs|company number|registration|reg no|rcs
iban|bic|swift|sort code|routing|routing number|bank account|blz|card|card number|credit card|visa
mastercard|kreditkarte|carte|tarjeta|carta
sku|item|item no|item number|part|part no|part number|article|article no|art nr|artikel
artikelnummer|artikel nr|art no|product|product code|model|serial|serial number|serial no
s n|batch|lot
seriennummer|serien nr|charge|référence article
your reference|our reference|customer reference|ihr zeichen|unser zeichen
votre référence|su referencia|vostro riferimento
ean|gtin|upc|isbn|asin|hs code|tariff|codice articolo|código|cod
case|case number|ticket|ticket number|ticket id|request id|incident|rma|claim|claim number|vorgang
vorgangsnummer|aktenzeichen|dossier|caso|meeting id|conference id|webinar id|passcode|meeting
zip|postcode|plz|imei|mac|policy|licence|license|loyalty|voucher|coupon|promo|gutschein|otp|code is
"""

# Scripts without spaces between words are searched for whole.
TRACKING_CJK = (
    "追跡番号|追跡|伝票番号|お問い合わせ番号|お問合せ番号|問い合わせ番号|送り状番号"
    "|运单号|快递单号|物流单号|单号|運單|運輸單號|송장번호|운송장"
)
SHIPPING_CJK = "発送|配送|荷物|お届け|发货|已发出|快递|배송"
OTHER_CJK = "電話|注文番号|請求書|お客様番号|订单号|订单编号|电话|发票|주문번호|전화"


def phrases(block: str) -> list[str]:
    """The phrases of one of the blocks above."""
    return [part.strip() for part in block.replace("\n", "|").split("|") if part.strip()]
