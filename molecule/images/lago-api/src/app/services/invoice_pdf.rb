# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require "net/http"

module InvoicePdf
  module_function

  def generate(invoice)
    return if Settings.pdf_disabled? || invoice.file.attached?

    # Uploaded before it is attached: an invoice never points to a file that could not be written.
    pdf = StringIO.new(convert(html(invoice)))
    name = "#{invoice.number}.pdf"
    invoice.file.attach(ActiveStorage::Blob.create_and_upload!(io: pdf, filename: name, content_type: "application/pdf"))
  end

  def convert(html)
    uri = URI.join(ENV.fetch("LAGO_PDF_URL"), "/forms/chromium/convert/html")
    request = Net::HTTP::Post.new(uri)
    request.set_form([["files", html, { filename: "index.html", content_type: "text/html" }]], "multipart/form-data")
    answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https", read_timeout: 300) { |http| http.request(request) }
    raise "PDF service: #{answer.code} #{answer.body.to_s[0, 200]}" unless answer.is_a?(Net::HTTPSuccess)

    answer.body
  end

  def html(invoice)
    "<html><head><meta charset=\"utf-8\"></head><body><h1>Invoice #{CGI.escapeHTML(invoice.number)}</h1>" \
      "<p>#{CGI.escapeHTML(invoice.organization.name)}</p></body></html>"
  end
end
